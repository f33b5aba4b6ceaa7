//! Placeholder.
use crate::{error::AppError, protocol::rpc::ChainInfo};

/// The server's chain.
pub async fn chain_info() -> Result<ChainInfo, AppError> {
    Err(AppError::Internal { reason: "not landed".into() })
}

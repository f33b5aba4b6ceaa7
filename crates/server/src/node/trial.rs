//! Is a node asked what pages will ask, how does it answer? For `--check`.

use alloy::primitives::{Address, U256};

use super::{ACCOUNT_STATE_CALLS, ChainNode};
use use_aa_actions::error::AppError;

/// An account that nobody has.
const NOBODY: Address = Address::repeat_byte(0x5a);

/// What a node was found to take.
pub(in super::super) struct Trial {
    /// Calls in one request, of those that an account's state needs.
    pub(in super::super) calls: usize,
    /// Blocks whose logs come in one answer, of those in which uses are counted.
    pub(in super::super) blocks: u64,
    /// Those in which uses are counted then.
    pub(in super::super) counted: u64,
}

impl ChainNode {
    /// Asks for the state of an account in one batch, and for its logs as far back as uses of sessions are counted.
    pub(in super::super) async fn try_out(&self) -> Result<Trial, AppError> {
        self.account_state(NOBODY, U256::ZERO, Some(NOBODY)).await?;
        let uses = self.session_uses(NOBODY, None).await?;
        let counted = uses.to_block.saturating_sub(uses.from_block).saturating_add(1);
        let calls = self.rpc.longest_batch().min(ACCOUNT_STATE_CALLS);
        Ok(Trial { calls, blocks: self.longest_logs().min(counted), counted })
    }
}

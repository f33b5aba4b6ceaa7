//! Amounts that people type.

use alloy::primitives::{Address, U256};

use super::grant_review::known_token;
use crate::{
    error::AppError,
    protocol::{ProtocolError, describe::read_amount},
};

/// An amount as it was typed, in units of a token that the page knows; of others in their smallest unit.
///
/// # Errors
/// `InvalidInput` when it is no amount, or has more decimals than the token.
pub fn typed_amount(token: Address, text: &str) -> Result<U256, AppError> {
    Ok(read_amount(text, &known_token(token).unwrap_or_default()).map_err(ProtocolError::from)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::addresses::DEMO_TOKEN;

    #[test]
    fn an_amount_is_read_in_the_tokens_units() {
        assert_eq!(typed_amount(DEMO_TOKEN, "2.5").unwrap(), U256::from(2_500_000));
        for bad in ["", "2.5.1", "-1", "0.0000001", "ten"] {
            assert!(typed_amount(DEMO_TOKEN, bad).is_err(), "{bad}");
        }
    }
}

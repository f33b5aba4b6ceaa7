//! What a node is told about the cost of operations.

use alloy::primitives::Address;

use super::{NodeArgs, NodeConfigError, wrong};
use use_aa_protocol::{
    addresses::{TOKEN_PAYMASTER, TOKEN_PAYMASTER_V07},
    amount,
    distributed_key::CostRules,
};

const SPONSORS: &str = "USE_AA_DAN_SPONSORS";
const OPERATION_COST: &str = "USE_AA_DAN_OPERATION_COST";

/// An empty value counts as unset.
pub(super) fn costs(args: &NodeArgs) -> Result<CostRules, NodeConfigError> {
    let rules = CostRules { sponsors: sponsors(&args.sponsors)?, ..CostRules::default() };
    match args.operation_cost.trim() {
        "" => Ok(rules),
        text => {
            let unnamed_limit = amount::parse(text).ok_or_else(|| wrong(OPERATION_COST, amount::EXPECTED, text))?;
            Ok(CostRules { unnamed_limit, ..rules })
        }
    }
}

fn sponsors(text: &str) -> Result<Vec<Address>, NodeConfigError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let sponsor = |part: &str| {
        let expected = "addresses of paymasters that never charge an account, comma-separated";
        // Token paymasters do charge it, and nobody has the zero address.
        let charges = [Address::ZERO, TOKEN_PAYMASTER, TOKEN_PAYMASTER_V07];
        let address = part.parse::<Address>().ok().filter(|it| !charges.contains(it));
        address.ok_or_else(|| wrong(SPONSORS, expected, part))
    };
    parts.map(sponsor).collect()
}

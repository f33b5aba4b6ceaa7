//! ERC-7677, which wallets speak with paymasters: `pm_getPaymasterStubData` before gas is estimated,
//! `pm_getPaymasterData` before the owner signs. Parameters: the operation, the entry point, the chain id, a context,
//! whose fields are those of `pm_sponsorUserOperation` (all optional; mode SPONSORED when there is none).

use alloy::primitives::{Address, Bytes};
use serde_json::{Map, Value, json};

use super::{
    super::{quantity::small, sponsor::Requester, sponsorship, state::ServerState},
    context::Context,
    errors::RpcError,
    operation::Purpose,
    unpacked::{self, Given},
};
use use_aa_protocol::{
    entry_point::EntryPoint,
    rpc::{PaymasterMode, SponsorContext},
    user_operation::UserOperation,
};

/// Data that costs the gas of the true ones and signs nothing: no budget is touched.
pub(super) async fn stub(state: &ServerState, params: &[Value]) -> Result<Value, RpcError> {
    let (operation, context) = read(state, params)?;
    let stub = sponsorship::stub(state, &operation, &context).await?;
    let mut answer = told(operation, stub);
    answer["isFinal"] = json!(false);
    Ok(answer)
}

/// The fields as the operation's entry point has them.
fn told(operation: UserOperation, paymaster_and_data: Bytes) -> Value {
    let operation = UserOperation { paymaster_and_data, ..operation };
    match (operation.entry_point, operation.paymaster_gas()) {
        (EntryPoint::V07, Some(gas)) => json!({
            "paymaster": operation.paymaster().map(|paymaster| paymaster.to_string()),
            "paymasterData": Bytes::copy_from_slice(operation.paymaster_data()),
            "paymasterVerificationGasLimit": gas.verification,
            "paymasterPostOpGasLimit": gas.post_op,
        }),
        _ => json!({"paymasterAndData": operation.paymaster_and_data}),
    }
}

/// The signature, for the limits that the operation carries.
pub(super) async fn data(state: &ServerState, requester: Requester<'_>, params: &[Value]) -> Result<Value, RpcError> {
    let (operation, context) = read(state, params)?;
    let sponsorship = sponsorship::sponsor(state, &operation, &context, requester).await?;
    Ok(told(operation, sponsorship.paymaster_and_data))
}

fn read(state: &ServerState, params: &[Value]) -> Result<(UserOperation, SponsorContext), RpcError> {
    read_on(state.config().chain_id, params)
}

fn read_on(ours: u64, params: &[Value]) -> Result<(UserOperation, SponsorContext), RpcError> {
    let (entry_point, chain_id, context) = match params {
        [_, entry_point, chain_id] => (entry_point, chain_id, &Value::Null),
        [_, entry_point, chain_id, context] => (entry_point, chain_id, context),
        _ => return Err(RpcError::fields("params should be userOp, entry point, chain id and context")),
    };
    let entry_point = entry_point.as_str().and_then(|address| address.parse::<Address>().ok());
    let Some(entry_point) = entry_point.filter(|address| EntryPoint::from_address(*address).is_some()) else {
        let known = EntryPoint::ALL.map(|known| format!("{} ({known})", known.address()));
        return Err(RpcError::fields(format!("the entry point should be {}", known.join(" or "))));
    };
    if small(chain_id) != Some(ours) {
        return Err(RpcError::other_chain(ours));
    }
    let fields = match context {
        Value::Null => Map::new(),
        Value::Object(fields) => fields.clone(),
        _ => return Err(RpcError::fields("the context should be an object")),
    };
    let context = Context { fields };
    let mode = context.mode()?.unwrap_or(PaymasterMode::Sponsored);
    // The caller has the gas estimated: what is signed must be what it has.
    let context = SponsorContext { calculate_gas_limits: false, ..context.sponsor_context(mode)? };
    match unpacked::given(params, entry_point, Purpose::Sponsor)? {
        Given::Known(operation) => Ok((*operation, context)),
        Given::Other(_) => Err(RpcError::fields("accounts of EIP-7702 are not paid for here")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn params(entry_point: Value, chain_id: Value, context: Value) -> Vec<Value> {
        let operation = json!({"sender": Address::repeat_byte(1), "nonce": "0x1", "callData": "0x12"});
        vec![operation, entry_point, chain_id, context]
    }

    #[test]
    fn the_context_is_optional_and_limits_are_the_callers() {
        let whole = params(
            json!(EntryPoint::V06.address()),
            json!("0x7a69"),
            json!({"calculateGasLimits": true, "expiryDuration": 60}),
        );
        let (operation, context) = read_on(31_337, &whole).unwrap();
        assert_eq!((operation.sender, context.mode), (Address::repeat_byte(1), PaymasterMode::Sponsored));
        assert_eq!((context.calculate_gas_limits, context.expiry_duration), (false, Some(60)));
        for short in [&whole[..3], &params(json!(EntryPoint::V06.address()), json!("0x7a69"), Value::Null)] {
            assert_eq!(read_on(31_337, short).unwrap().1.expiry_duration, None);
        }
    }

    #[test]
    fn other_entry_points_and_chains_are_refused() {
        let eight = json!("0x4337084D9E255Ff0702461CF8895CE9E3b5Ff108");
        let seven = params(json!(EntryPoint::V07.address()), json!("0x7a69"), json!({}));
        assert_eq!(read_on(31_337, &seven).unwrap().0.entry_point, EntryPoint::V07);
        for wrong in [
            params(eight, json!("0x7a69"), json!({})),
            params(json!(null), json!("0x7a69"), json!({})),
            params(json!(EntryPoint::V06.address()), json!("0x1"), json!({})),
            params(json!(EntryPoint::V06.address()), json!(null), json!({})),
            params(json!(EntryPoint::V06.address()), json!("0x7a69"), json!([])),
            params(json!(EntryPoint::V06.address()), json!("0x7a69"), json!({"mode": "FREE"})),
            vec![json!({})],
        ] {
            assert!(read_on(31_337, &wrong).is_err(), "{wrong:?}");
        }
    }
}

//! The grant as wallets show and sign it (`eth_signTypedData_v4`).

use alloy::{
    primitives::{Address, U256},
    sol_types::SolStruct,
};
use serde_json::{Value, json};

use super::signed_session;
use crate::{
    abi::smart_sessions::typed,
    smart_sessions::{EnableMode, Session},
};

/// The second parameter of `eth_signTypedData_v4` for a grant on these chains: chain and the module's nonce there. Its
/// hash is [`enable_hash`](super::enable_hash), so this is for accounts whose grants are signed plain: the nested form
/// has a type string that no wallet makes.
pub fn typed_data(session: &Session, account: Address, chains: &[(u64, U256)], mode: EnableMode) -> Value {
    of_entries(chains.iter().map(|(chain_id, nonce)| (*chain_id, signed_session(session, account, *nonce, mode))))
}

/// The same for several sessions on one chain, each with the module's nonce for it: one signature for all.
pub fn typed_data_of_several(sessions: &[(&Session, U256)], account: Address, chain_id: u64) -> Value {
    let signed =
        |(session, nonce): &(&Session, U256)| (chain_id, signed_session(session, account, *nonce, EnableMode::Enable));
    of_entries(sessions.iter().map(signed))
}

fn of_entries(entries: impl Iterator<Item = (u64, typed::SignedSession)>) -> Value {
    let sessions = entries.map(|(chain_id, signed)| json!({ "chainId": chain_id, "session": session_json(&signed) }));
    json!({
        "types": types(),
        "primaryType": "MultiChainSession",
        "domain": { "name": "SmartSession", "version": "1" },
        "message": { "sessionsAndChainIds": sessions.collect::<Vec<_>>() },
    })
}

fn session_json(it: &typed::SignedSession) -> Value {
    let permissions = &it.permissions;
    let policies = |policies: &[typed::PolicyData]| -> Vec<Value> {
        policies.iter().map(|it| json!({ "policy": it.policy, "initData": it.initData })).collect()
    };
    let contexts = permissions.erc7739Policies.allowedERC7739Content.iter();
    let context = |it: &typed::ERC7739Context| json!({ "appDomainSeparator": it.appDomainSeparator, "contentName": it.contentName });
    let action = |it: &typed::ActionData| {
        json!({
            "actionTargetSelector": it.actionTargetSelector,
            "actionTarget": it.actionTarget,
            "actionPolicies": policies(&it.actionPolicies),
        })
    };
    json!({
        "account": it.account,
        "permissions": {
            "permitGenericPolicy": permissions.permitGenericPolicy,
            "permitAdminAccess": permissions.permitAdminAccess,
            "ignoreSecurityAttestations": permissions.ignoreSecurityAttestations,
            "permitERC4337Paymaster": permissions.permitERC4337Paymaster,
            "userOpPolicies": policies(&permissions.userOpPolicies),
            "erc7739Policies": {
                "allowedERC7739Content": contexts.map(context).collect::<Vec<_>>(),
                "erc1271Policies": policies(&permissions.erc7739Policies.erc1271Policies),
            },
            "actions": permissions.actions.iter().map(action).collect::<Vec<_>>(),
        },
        "sessionValidator": it.sessionValidator,
        "sessionValidatorInitData": it.sessionValidatorInitData,
        "salt": it.salt,
        "smartSession": it.smartSession,
        "nonce": it.nonce.to_string(),
    })
}

/// The types, out of the very string that is hashed: `A(uint256 x,B[] y)B(…)`.
fn types() -> Value {
    let mut types = serde_json::Map::new();
    let field = |(kind, name): (&str, &str)| json!({ "name": name, "type": kind });
    let own = [("string", "name"), ("string", "version")].map(field);
    types.insert("EIP712Domain".to_owned(), json!(own));
    for declared in typed::MultiChainSession::eip712_encode_type().split_inclusive(')') {
        let Some((name, fields)) = declared.trim_end_matches(')').split_once('(') else { continue };
        let fields = fields.split(',').filter_map(|it| it.split_once(' ')).map(field);
        types.insert(name.to_owned(), fields.collect());
    }
    Value::Object(types)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_types_are_those_that_are_hashed() {
        let data = typed_data(&Session::default(), Address::ZERO, &[(1, U256::MAX)], EnableMode::Enable);
        let types = data["types"].as_object().unwrap();
        assert_eq!(types.len(), 9);
        assert_eq!(types["PolicyData"], json!([{"name":"policy","type":"address"},{"name":"initData","type":"bytes"}]));
        assert_eq!(types["ERC7739Context"][1], json!({"name":"contentName","type":"string[]"}));
        let message = &data["message"]["sessionsAndChainIds"][0];
        assert_eq!(message["session"]["nonce"], U256::MAX.to_string());
        // Every field of a type has a value of that name.
        for (value, name) in [
            (message, "ChainSession"),
            (&message["session"], "SignedSession"),
            (&message["session"]["permissions"], "SignedPermissions"),
        ] {
            let names = types[name].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap());
            assert!(names.into_iter().all(|name| value.get(name).is_some()), "{name}");
        }
    }
}

//! What a deployed Nexus account runs besides the calls that are paid for: it must be a known release's proxy and
//! implementation, without a hook.
//!
//! Policies judge calls by what a Nexus account makes of its call data. Another contract may make anything of them, and a
//! hook is called around them with all the gas that is left. The chain is asked, in one request, when a signature is asked for.

use alloy::{
    primitives::{Address, B256, Bytes, b256, keccak256},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{
    super::node::{ChainNode, LAGGING},
    policy::SponsorPolicy,
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::nexus::NexusRelease;

sol! {
    function getActiveHook() returns (address);
}

/// Where ERC-1967 proxies keep their implementation.
const IMPLEMENTATION_SLOT: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
/// Hashes of the code that the factories of the known releases put at an account's address. All of it hands every call
/// with data on to the implementation in [`IMPLEMENTATION_SLOT`]: another code could keep a known address there and run
/// something else.
const PROXIES: [B256; 3] = [
    // modulekit 0.5.9.
    b256!("57a3f89755d99b19368dc1ce2bd9851ebecc14ed95500ec2930fe922b34b14a6"),
    // 1.0.2.
    b256!("aaa52c8cc8a0e3fd27ce756cc6b4e70c51423e9b597b11f32d3e49f8b1fc890d"),
    // 1.2.0.
    b256!("37f47513090b87acd09e20f11f5536ac41e0a4403b6d782f4073e3cebfb263ab"),
];
/// Before the implementation in the code of a key that was upgraded (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// Does the account run nothing but a known Nexus? The error is the reason.
///
/// # Errors
/// Those of the node; `UpstreamUnavailable` where it knows of no code: it may not have the block of the account's
/// creation yet, which is no reason to refuse.
pub(super) async fn check(
    node: &ChainNode,
    policy: &SponsorPolicy,
    account: Address,
) -> Result<Result<(), String>, AppError> {
    let mut verdict = look(node, policy, account).await?;
    for pause in LAGGING {
        if verdict.is_some() {
            break;
        }
        tokio::time::sleep(pause).await;
        verdict = look(node, policy, account).await?;
    }
    let reason = format!("there is no account at {account} yet, and the operation does not create one");
    verdict.ok_or(AppError::UpstreamUnavailable { upstream: Upstream::Node, reason })
}

/// The same once; `None` while there is no code.
async fn look(
    node: &ChainNode,
    policy: &SponsorPolicy,
    account: Address,
) -> Result<Option<Result<(), String>>, AppError> {
    let hook_call = json!([{"to": account, "data": Bytes::from(getActiveHookCall {}.abi_encode())}, "latest"]);
    let questions = [
        ("eth_getCode", json!([account, "latest"])),
        ("eth_getStorageAt", json!([account, IMPLEMENTATION_SLOT, "latest"])),
        ("eth_call", hook_call),
    ];
    let mut answers = node.batch(&questions).await?.into_iter();
    let mut next =
        || answers.next().unwrap_or_else(|| Err(AppError::Internal { reason: "an answer is missing".into() }));
    let (code, slot, hook) = (next()?, next()?, next());
    let (code, slot) = (bytes(code), bytes(slot));
    if code.is_empty() {
        return Ok(None);
    }
    if let Err(reason) = check_code(policy, account, &code, &slot) {
        return Ok(Some(Err(reason)));
    }
    let hook = match hook {
        Ok(answer) => word_as_address(&bytes(answer)),
        Err(AppError::UpstreamRejected { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Some(check_hook(policy, account, hook)))
}

fn bytes(answer: Value) -> Bytes {
    serde_json::from_value(answer).unwrap_or_default()
}

fn word_as_address(word: &[u8]) -> Option<Address> {
    let word: [u8; 32] = word.try_into().ok()?;
    word.starts_with(&[0; 12]).then(|| Address::from_word(word.into()))
}

fn check_code(policy: &SponsorPolicy, account: Address, code: &[u8], slot: &[u8]) -> Result<(), String> {
    let implementation = match code.strip_prefix(&DELEGATION) {
        Some(delegate) => Address::try_from(delegate).ok(),
        None => {
            let hash = keccak256(code);
            if !PROXIES.contains(&hash) && !policy.account_proxies.contains(&hash) {
                return Err(format!(
                    "the account {account} is no Nexus account that is known here: the hash of its code is {hash} \
                     (account_proxies of the policy)"
                ));
            }
            word_as_address(slot)
        }
    };
    let is_known = |address: &Address| {
        let of_release = |release: &NexusRelease| release.parts().implementation == *address;
        NexusRelease::ALL.iter().any(of_release) || policy.account_implementations.contains(address)
    };
    match implementation {
        Some(address) if is_known(&address) => Ok(()),
        Some(address) => Err(format!(
            "the account {account} runs {address}, no release of Nexus that is known here (account_implementations of the \
             policy)"
        )),
        None => Err(format!("the account {account} is no Nexus account that is known here")),
    }
}

fn check_hook(policy: &SponsorPolicy, account: Address, hook: Option<Address>) -> Result<(), String> {
    match hook {
        Some(hook) if hook.is_zero() || policy.account_hooks.contains(&hook) => Ok(()),
        Some(hook) => Err(format!(
            "the account {account} has the hook {hook}, whose work is not paid for (account_hooks of the policy)"
        )),
        None => Err(format!("the account {account} does not tell its hook")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const ACCOUNT: Address = Address::repeat_byte(1);
    /// The minimal proxy of release 1.0.2.
    const PROXY: [u8; 61] = alloy::hex!(
        "363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
    );

    fn policy(head: &str) -> SponsorPolicy {
        SponsorPolicy::parse(&format!("{head}\ntargets = []\n[budgets]\nglobal_per_day = 0\n"), |_| None).unwrap()
    }

    #[test]
    fn only_known_proxies_of_known_implementations_pass() {
        let (strict, foreign) = (policy(""), Address::repeat_byte(9));
        let listing = policy(&format!("account_implementations = [\"{foreign}\"]"));
        let delegated = |to: Address| [&DELEGATION[..], to.as_slice()].concat();
        for release in NexusRelease::ALL {
            let implementation = release.parts().implementation;
            let slot = implementation.into_word();
            assert_eq!(check_code(&strict, ACCOUNT, &PROXY, slot.as_slice()), Ok(()));
            assert_eq!(check_code(&strict, ACCOUNT, &delegated(implementation), B256::ZERO.as_slice()), Ok(()));
            // Own code over a slot that tells of a known implementation.
            let error = check_code(&strict, ACCOUNT, &[0x60, 0x00], slot.as_slice()).unwrap_err();
            assert!(error.contains("no Nexus account"), "{error}");
        }
        // A proxy of somebody's own factory.
        let (own, slot) = ([0x60, 0x00], NexusRelease::ALL[0].parts().implementation.into_word());
        let error = check_code(&listing, ACCOUNT, &own, slot.as_slice()).unwrap_err();
        let hash = keccak256(own);
        assert!(error.contains(&format!("{hash} (account_proxies")), "{error}");
        let listing_both =
            policy(&format!("account_implementations = [\"{foreign}\"]\naccount_proxies = [\"{hash}\"]"));
        assert_eq!(check_code(&listing_both, ACCOUNT, &own, slot.as_slice()), Ok(()));
        assert_eq!(check_code(&listing_both, ACCOUNT, &own, foreign.into_word().as_slice()), Ok(()));
        let error = check_code(&listing_both, ACCOUNT, &own, ACCOUNT.into_word().as_slice()).unwrap_err();
        assert!(error.contains("account_implementations"), "the implementation is looked at all the same: {error}");
        for code in [PROXY.to_vec(), delegated(foreign)] {
            let slot = foreign.into_word();
            let error = check_code(&strict, ACCOUNT, &code, slot.as_slice()).unwrap_err();
            assert!(error.contains("account_implementations"), "{error}");
            assert_eq!(check_code(&listing, ACCOUNT, &code, slot.as_slice()), Ok(()));
        }
    }

    #[test]
    fn a_hook_is_paid_for_where_the_policy_lists_it() {
        let hook = Address::repeat_byte(9);
        let (strict, listing) = (policy(""), policy(&format!("account_hooks = [\"{hook}\"]")));
        assert_eq!(check_hook(&strict, ACCOUNT, Some(Address::ZERO)), Ok(()));
        assert!(check_hook(&strict, ACCOUNT, Some(hook)).unwrap_err().contains("account_hooks"));
        assert_eq!(check_hook(&listing, ACCOUNT, Some(hook)), Ok(()));
        assert!(check_hook(&listing, ACCOUNT, None).is_err());
    }

    /// A node that has the block with the account only when it is asked for the fourth time or later.
    #[tokio::test]
    async fn a_node_that_lags_refuses_nobody() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let implementation = NexusRelease::ALL[0].parts().implementation;
        for (blind, passes) in [(3, true), (4, false)] {
            let asked = std::sync::Arc::new(AtomicU32::new(0));
            let counted = asked.clone();
            let answer = move |axum::Json(body): axum::Json<Value>| {
                let sees = body.is_array() && counted.fetch_add(1, Ordering::SeqCst) >= blind;
                let answer = |call: &Value| {
                    let result = match call["method"].as_str().unwrap() {
                        "eth_chainId" => json!("0x7a69"),
                        "eth_getCode" if sees => json!(Bytes::from_static(&PROXY)),
                        "eth_getStorageAt" if sees => json!(implementation.into_word()),
                        "eth_getStorageAt" => json!(B256::ZERO),
                        "eth_call" if sees => json!(B256::ZERO),
                        _ => json!("0x"),
                    };
                    json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
                };
                let answers = match &body {
                    Value::Array(calls) => calls.iter().map(answer).collect(),
                    call => answer(call),
                };
                async move { axum::Json(answers) }
            };
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let urls = [format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()];
            let app = axum::Router::new().route("/", axum::routing::post(answer));
            let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            let node = ChainNode::new(&urls, 31_337, std::time::Duration::from_secs(5)).unwrap();
            match check(&node, &policy(""), ACCOUNT).await {
                Ok(verdict) => assert!(passes && verdict == Ok(()), "{verdict:?}"),
                Err(AppError::UpstreamUnavailable { reason, .. }) => assert!(!passes && reason.contains("no account")),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(asked.load(Ordering::SeqCst), 4);
            task.abort();
        }
    }
}

//! Smart Sessions as a [`SessionScheme`]: each session for itself, under an id of its own.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::{
    OperationSignature, SessionDescription, SessionLintContext,
    addresses::{SIMPLE_SIGNER, SMART_SESSION},
    calls, consent, counters,
    ended::refuses_ended,
    explain::explain,
    from_policy::session_of,
    ids,
    leaf::{as_leaf, as_transfer, both, window_of},
    lint,
    model::{ModuleState, Refusal, Surroundings},
    on_chain, policy_error, reads, revert_words,
    session::Session,
    session_key_of, smart_session_error,
    stored::StoredSession,
    use_signature,
};
use crate::{
    ProtocolError,
    accounts::nexus::{ENTRY_POINT, ModuleType, NonceKey, ValidationMode, install_module},
    call::Call,
    describe::Names,
    distributed_key::TypedData,
    entry_point::v07::bundler_refusal,
    policy::SessionEpoch,
    session::SessionLeaf,
    session_scheme::{
        Candidates, ChangedSessions, Counter, OnChain, SchemeFinding, SessionCalls, SessionReading, SessionScheme,
        SessionTerms, Stored,
    },
    simulate::Violation,
    time_window::Window,
    user_operation::UserOperation,
};

/// Sessions of Nexus accounts.
#[derive(Clone, Copy, Debug)]
pub struct SmartSessions;

impl SessionScheme for SmartSessions {
    type Session = StoredSession;

    const NAME: &'static str = "smart-sessions";

    fn session(terms: &SessionTerms<'_>) -> Result<StoredSession, ProtocolError> {
        let SessionTerms { account, policies, limits, session_key, salt, now } = terms;
        session_of(policies, *session_key, *salt, limits, *account, *now).map(StoredSession::from)
    }

    fn id(stored: &StoredSession) -> B256 {
        ids::permission_id(&stored.session)
    }

    fn session_key(stored: &StoredSession) -> Address {
        session_key_of(&stored.session).unwrap_or_default()
    }

    fn listing_call(account: Address) -> Call {
        Call { to: SMART_SESSION, value: U256::ZERO, data: reads::permission_ids_call(account) }
    }

    fn listed(stored: &[Stored<StoredSession>], answer: &[u8]) -> Result<Vec<StoredSession>, ProtocolError> {
        let ids = listed_ids(answer)?;
        let sessions = stored.iter().map(|stored| &stored.session);
        Ok(sessions.filter(|session| ids.contains(&Self::id(session))).cloned().collect())
    }

    fn unknown(stored: &[Stored<StoredSession>], answer: &[u8]) -> Result<Vec<B256>, ProtocolError> {
        let known = stored.iter().map(|stored| Self::id(&stored.session)).collect::<Vec<_>>();
        Ok(listed_ids(answer)?.into_iter().filter(|id| !known.contains(id)).collect())
    }

    fn readings(
        account: Address,
        unknown: &[B256],
        stored: &[StoredSession],
        candidates: &Candidates,
    ) -> Vec<Box<dyn SessionReading>> {
        let sessions = stored.iter().map(|stored| &stored.session);
        on_chain::readings(account, unknown, &sessions.collect::<Vec<_>>(), candidates)
    }

    fn granted_in(account: Address, input: &[u8]) -> Vec<(Address, [u8; 4])> {
        on_chain::granted_in(account, input)
    }

    fn changed_by(calls: &[Call]) -> ChangedSessions {
        let to_module = calls.iter().filter(|call| call.to == SMART_SESSION).map(|call| call.data.as_ref());
        let enabled = to_module.clone().filter_map(|data| calls::decode_enable_sessions(data).ok());
        ChangedSessions {
            granted: enabled.flatten().map(|session| ids::permission_id(&session)).collect(),
            ended: to_module.filter_map(calls::removed_session).collect(),
        }
    }

    fn used_in(operation: &UserOperation) -> Option<B256> {
        let (key, _) = NonceKey::of_nonce(operation.nonce).ok()?;
        // Who judges a signature is in the nonce: the owner's may begin with any byte.
        let is_judged_here = operation.entry_point == ENTRY_POINT
            && (key.validator, key.mode) == (SMART_SESSION, ValidationMode::Validate);
        let signature = is_judged_here.then(|| OperationSignature::decode(&operation.signature).ok()).flatten()?;
        Some(signature.permission_id())
    }

    /// Whether a grant was ever signed for them is not known: that ends, too.
    fn end_unknown(ids: &[B256]) -> Vec<Call> {
        ids.iter().flat_map(|id| calls::revoke(*id, true)).collect()
    }

    fn grant_calls(on_chain: &OnChain<'_, StoredSession>, new: &[StoredSession]) -> Result<Vec<Call>, ProtocolError> {
        // A second grant would set the counters of the first one back.
        let is_there =
            |stored: &&StoredSession| on_chain.sessions.iter().any(|other| Self::id(other) == Self::id(stored));
        if let Some(again) = new.iter().find(is_there) {
            return Err(ProtocolError::invalid("sessions", "sessions that are not enabled yet", Self::id(again)));
        }
        let is_installed = on_chain.modules.contains(&SMART_SESSION);
        let install = || install_module(on_chain.account, ModuleType::Validator, SMART_SESSION, Bytes::new());
        let sessions = new.iter().map(|stored| stored.session.clone()).collect::<Vec<_>>();
        let enable = calls::enable_sessions(&sessions)?;
        Ok((!is_installed).then(install).into_iter().chain([enable]).collect())
    }

    /// The id says nothing of policies, and enabling sets all of them as they were granted: what they counted begins at
    /// nothing (vectors 18).
    fn can_return(_: &StoredSession) -> Result<(), ProtocolError> {
        Ok(())
    }

    fn revocation_calls(on_chain: &OnChain<'_, StoredSession>, ended: &[B256]) -> Result<Vec<Call>, ProtocolError> {
        let end = |id: &B256| {
            let found = on_chain.sessions.iter().find(|stored| Self::id(stored) == *id);
            let found = found.ok_or_else(|| ProtocolError::SessionNotFound { wanted: id.to_string() })?;
            Ok(calls::revoke(*id, found.grant_signed))
        };
        Ok(ended.iter().map(end).collect::<Result<Vec<_>, ProtocolError>>()?.concat())
    }

    fn nonce_key(lane: U256) -> Result<U256, ProtocolError> {
        let key = NonceKey::new(SMART_SESSION, u32::try_from(lane).unwrap_or(u32::MAX))?;
        Ok(U256::from(key.to_u192()))
    }

    fn use_signature(
        on_chain: &OnChain<'_, StoredSession>,
        stored: &StoredSession,
        session_signature: &[u8],
    ) -> Result<Bytes, ProtocolError> {
        let id = Self::id(stored);
        match &stored.consent {
            Some(consent) if !on_chain.sessions.iter().any(|enabled| Self::id(enabled) == id) => {
                consent.with(stored.session.clone()).signature(session_signature)
            }
            _ => Ok(use_signature(id, session_signature)),
        }
    }

    fn consent_number_call(stored: &StoredSession, account: Address) -> Option<Call> {
        let data = reads::nonce_call(Self::id(stored), account);
        Some(Call { to: SMART_SESSION, value: U256::ZERO, data })
    }

    fn consent_number(answer: &[u8]) -> Result<U256, ProtocolError> {
        reads::decode_number(answer)
    }

    fn consent(
        on_chain: &OnChain<'_, StoredSession>,
        sessions: &[(StoredSession, U256)],
        chain_id: u64,
    ) -> Result<TypedData, ProtocolError> {
        consent::request(on_chain, sessions, chain_id)
    }

    fn with_consent(
        account: Address,
        sessions: Vec<(StoredSession, U256)>,
        chain_id: u64,
        signature: &Bytes,
    ) -> Result<Vec<StoredSession>, ProtocolError> {
        consent::given(account, sessions, chain_id, signature)
    }

    fn given_consent(stored: &StoredSession) -> Option<U256> {
        stored.consent.as_ref().map(|consent| consent.nonce)
    }

    fn trial_signature(id: B256, session_signature: &[u8]) -> Option<Bytes> {
        Some(use_signature(id, session_signature))
    }

    fn refuses_ended(id: B256, revert_data: &[u8]) -> Result<String, String> {
        refuses_ended(id, revert_data)
    }

    fn judge(stored: &StoredSession, used: &SessionCalls<'_>) -> Result<(), Violation> {
        let window = window_of_calls(&stored.session, used.account, used.call_data, used.sponsored)?;
        if used.now < window.valid_after || (window.valid_until != 0 && used.now > window.valid_until) {
            let reason = format!("it works from {} to {} (unix seconds)", window.valid_after, window.valid_until);
            return Err(Violation { rule: "window".into(), reason, revert_text: "AA22 expired or not due".into() });
        }
        Ok(())
    }

    fn lint(stored: &StoredSession, on_chain: &OnChain<'_, StoredSession>, now: u64) -> Vec<SchemeFinding> {
        let enabled = on_chain.sessions.iter().map(Self::id).collect::<Vec<_>>();
        let context = SessionLintContext {
            account: on_chain.account,
            now,
            enabled: &enabled,
            modules: on_chain.modules,
            ..SessionLintContext::default()
        };
        let found = lint(&stored.session, context);
        found.into_iter().map(|found| SchemeFinding { severity: found.severity, text: found.text }).collect()
    }

    fn describe(stored: &StoredSession, names: &Names<'_>) -> Vec<String> {
        let description = SessionDescription::of(&stored.session);
        let actions = description.actions.iter().flat_map(|action| action.lines(names));
        actions.chain(description.lines(names)).collect()
    }

    fn leaves(stored: &StoredSession) -> Vec<SessionLeaf> {
        let key = Self::session_key(stored);
        let window = window_of(&stored.session.user_op_policies);
        let leaf = |action| {
            let leaf = as_leaf(action, key).map(|leaf| as_transfer(&leaf).unwrap_or(leaf)).unwrap_or_else(|| {
                let window = window_of(&action.action_policies);
                SessionLeaf {
                    valid_until: window.valid_until,
                    valid_after: window.valid_after,
                    session_key_address: key,
                    ..SessionLeaf::default()
                }
            });
            let SessionEpoch { valid_until, valid_after } = both(leaf.interval(), window);
            SessionLeaf { valid_until, valid_after, ..leaf }
        };
        stored.session.actions.iter().map(leaf).collect()
    }

    fn may_be_sponsored(stored: &StoredSession) -> bool {
        stored.session.permit_erc4337_paymaster
    }

    fn counters(stored: &StoredSession, account: Address) -> Vec<Counter> {
        counters::counters(&stored.session, account)
    }

    fn left(counter: &Counter, answer: &[u8]) -> Result<U256, ProtocolError> {
        counters::left(counter, answer)
    }

    fn taken(stored: &StoredSession, counter: &Counter, calls: &[Call]) -> U256 {
        counters::taken(&stored.session, counter, calls)
    }

    fn refusal(text: &str, revert_data: Option<&[u8]>) -> Option<Violation> {
        let data = revert_data.map(Bytes::copy_from_slice).or_else(|| bundler_refusal(text).revert_data)?;
        let of_sessions = smart_session_error(&data).is_some() || policy_error(&data).is_some();
        of_sessions.then(|| {
            let reason = revert_words(&data);
            Violation { rule: named(&reason), reason, revert_text: text.to_owned() }
        })
    }
}

fn listed_ids(answer: &[u8]) -> Result<Vec<B256>, ProtocolError> {
    reads::answer_of("getPermissionIDs", reads::decode_ids(answer))
}

/// When call data of the account passes the session's policies, by itself: what was counted before, the chain knows.
///
/// # Errors
/// The check that fails, whenever it is.
pub fn window_of_calls(
    session: &Session,
    account: Address,
    call_data: &[u8],
    sponsored: bool,
) -> Result<SessionEpoch, Violation> {
    let violation = |refusal: Refusal| {
        let revert_text = refusal.to_string();
        Violation { rule: named(&revert_text), reason: revert_text.clone(), revert_text }
    };
    // Nobody's consent is asked for: the session counts as enabled.
    let around =
        Surroundings { account, chain_id: 0, simple_signers: &[SIMPLE_SIGNER], is_valid_signature: &|_, _| Ok(false) };
    let mut state = ModuleState::with_session(session, around).map_err(violation)?;
    let answer = state.judge(ids::permission_id(session), call_data, sponsored, account).map_err(violation)?;
    let Window { valid_until, valid_after } = answer.window;
    Ok(SessionEpoch { valid_until, valid_after })
}

/// What the error is called for people, or as the contract calls it.
fn named(words: &str) -> String {
    let end = words.find(|c: char| !c.is_alphanumeric()).unwrap_or(words.len());
    explain(words).map_or_else(|| words.get(..end).unwrap_or_default().to_owned(), |found| found.name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        accounts::nexus::encode_calls,
        addresses::DEMO_NFT,
        lint::Severity,
        policy::{Condition, Policy, SessionPolicy},
        session_scheme::{ActionLimits, SessionLimits},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn stored(salt: u8, uses: u128) -> StoredSession {
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, ACCOUNT);
        let limits = ActionLimits { uses: Some(uses), ..ActionLimits::default() };
        let terms = SessionTerms {
            account: ACCOUNT,
            policies: &[(SessionPolicy::from(mint), limits)],
            limits: SessionLimits::default(),
            session_key: Address::repeat_byte(7),
            salt: B256::repeat_byte(salt),
            now: 1_000,
        };
        SmartSessions::session(&terms).unwrap()
    }

    fn mint(to: Address) -> Call {
        let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
        Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
    }

    #[test]
    fn sessions_are_granted_and_ended_each_for_itself() {
        let [one, two] = [stored(1, 2), stored(2, 2)];
        let around = |modules, sessions| OnChain { account: ACCOUNT, modules, sessions };
        let none = around(&[], &[]);
        assert_eq!(SmartSessions::grant_calls(&none, std::slice::from_ref(&one)).unwrap().len(), 2, "the module first");
        let sessions = [one.clone()];
        let there = around(&[SMART_SESSION], &sessions);
        assert_eq!(SmartSessions::grant_calls(&there, std::slice::from_ref(&two)).unwrap().len(), 1);
        let again = SmartSessions::grant_calls(&there, &sessions).unwrap_err().to_string();
        assert!(again.starts_with("sessions"), "{again}");
        let [one_id, two_id] = [&one, &two].map(SmartSessions::id);
        assert_eq!(SmartSessions::revocation_calls(&there, &[one_id]).unwrap(), [calls::remove_session(one_id)]);
        assert!(SmartSessions::revocation_calls(&there, &[two_id]).is_err());
        let signed = [StoredSession { grant_signed: true, ..one }];
        let calls = SmartSessions::revocation_calls(&around(&[SMART_SESSION], &signed), &[one_id]).unwrap();
        assert_eq!(calls, calls::revoke(one_id, true), "the grant would bring it back");
        let json = serde_json::to_value(&two).unwrap();
        assert_eq!(serde_json::from_value::<StoredSession>(json).unwrap(), two);
    }

    #[test]
    fn an_operation_tells_which_sessions_it_changes_and_which_one_signs_it() {
        let [one, two] = [stored(1, 2), stored(2, 2)];
        let [one_id, two_id] = [&one, &two].map(SmartSessions::id);
        let none = OnChain { account: ACCOUNT, modules: &[], sessions: &[] };
        let mut calls = SmartSessions::grant_calls(&none, std::slice::from_ref(&one)).unwrap();
        calls.extend(SmartSessions::end_unknown(&[two_id]));
        calls.push(Call { to: DEMO_NFT, ..calls::remove_session(one_id) });
        let changed = ChangedSessions { granted: vec![one_id], ended: vec![two_id] };
        assert_eq!(SmartSessions::changed_by(&calls), changed);

        let lane = SmartSessions::nonce_key(U256::from(5)).unwrap();
        let used = UserOperation {
            entry_point: ENTRY_POINT,
            nonce: lane << 64,
            signature: use_signature(one_id, &[7; 65]),
            ..UserOperation::default()
        };
        assert_eq!(SmartSessions::used_in(&used), Some(one_id));
        // An owner's signature may look the same; an installing one is no use.
        for nonce in [U256::from(5) << 64, used.nonce | (U256::ONE << 224)] {
            assert_eq!(SmartSessions::used_in(&UserOperation { nonce, ..used.clone() }), None);
        }
        let short = UserOperation { signature: vec![0; 32].into(), ..used };
        assert_eq!(SmartSessions::used_in(&short), None);
    }

    #[test]
    fn what_no_policy_allows_is_refused_before_it_is_sent() {
        let session = stored(1, 1);
        let judge = |calls: &[Call]| {
            let call_data = encode_calls(calls).unwrap();
            let used = SessionCalls { account: ACCOUNT, calls, call_data: &call_data, sponsored: false, now: 1_000 };
            SmartSessions::judge(&session, &used)
        };
        assert_eq!(judge(&[mint(ACCOUNT)]), Ok(()));
        let other = judge(&[mint(DEMO_NFT)]).unwrap_err();
        assert!(other.revert_text.contains("PolicyViolation"), "{other}");
        let twice = judge(&[mint(ACCOUNT), mint(ACCOUNT)]).unwrap_err();
        assert_eq!(twice.rule, "SessionPolicyViolationError", "{twice}");
        let elsewhere = judge(&[Call { to: ACCOUNT, ..mint(ACCOUNT) }]).unwrap_err();
        assert!(!elsewhere.reason.is_empty(), "{elsewhere}");
    }

    #[test]
    fn a_bundlers_text_is_decoded() {
        let text = "UserOperation reverted during simulation with reason: AA23 reverted 0x3b577361";
        let data = [B256::repeat_byte(1), Address::repeat_byte(2).into_word()].concat();
        let refusal = SmartSessions::refusal(&format!("{text}{}", hex::encode(&data)), None).unwrap();
        assert_eq!(refusal.rule, "SessionPolicyViolationError");
        // As a server tells it: in words, the data apart.
        let apart = [&[0x3b, 0x57, 0x73, 0x61][..], &data].concat();
        let told = SmartSessions::refusal("AA23 reverted PolicyViolation(…)", Some(&apart)).unwrap();
        assert_eq!((told.rule, told.reason), (refusal.rule, refusal.reason));
        assert_eq!(SmartSessions::refusal("AA25 invalid account nonce", None), None);
        let none = OnChain { account: ACCOUNT, modules: &[], sessions: &[] };
        let found = SmartSessions::lint(&stored(1, 1), &none, 1_000);
        assert!(found.iter().all(|found| found.severity == Severity::Warning), "{found:?}");
        assert!(SmartSessions::describe(&stored(1, 1), &Names::default()).len() > 1);
    }
}

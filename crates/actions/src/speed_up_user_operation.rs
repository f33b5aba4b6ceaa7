//! Overtakes an operation that is stuck: the same again with higher fees, signed anew.

use alloy::{
    primitives::{B256, Bytes, U256, eip191_hash_message},
    signers::SignerSync,
};

use super::{
    account::SmartAccountClient,
    account_kind::{AccountKind, biconomy_v2::BiconomyV2},
    fee_funds::read_deposit,
    overtaken_sessions::{OvertakenSessions, SessionChange},
    owner_signature::owner_signature,
    ports::{DistributedKeys, Relay, SessionStore},
    raise_fees::{fees_of, fees_that_are_taken, is_paid_in_a_token, with_fees},
    send_user_operation::check_wallet_chain,
    send_with_distributed_session::sign_anew,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    call::Call, distributed_key::DanModuleInfo, rpc::GasFees, signature::SessionSignature,
    user_op_response::UserOpResponse, user_operation::UserOperation,
};

/// Sends an operation once more with the same nonce and higher fees: one of the two is included, never both. The
/// first one's waiters hear `replaced` with the hash of this one.
///
/// `fees` as [`Stuck`](use_aa_protocol::rpc::UserOpUpdate::Stuck) names them; they are raised to 10 % above the
/// first one's where they are lower. A sponsored operation is sponsored anew, because the sponsor signed the fees.
///
/// # Errors
/// `InvalidInput` when it grants or revokes sessions ([`speed_up_session_change`] keeps their book), when another account
/// sent it, when it is paid in a token (its quote is for the first one's fees) or by another paymaster than sponsors now,
/// and when it sends away what the higher fees would need; `NotTheOwnersSignature`, `OwnerIsContract`, `WalletRejected`,
/// `WrongChain` of the wallet; those of sponsor and bundler. After a failed send both operations may be on their way, which
/// does no harm.
pub async fn speed_up_user_operation(
    client: &SmartAccountClient,
    stuck: &UserOperation,
    fees: &GasFees,
) -> Result<UserOpResponse, AppError> {
    speed_up_as_owner(client, None, stuck, fees, async |_| Ok(())).await
}

/// The same for whatever the owner signed, a grant or a revocation of sessions too: before it is sent, the stored sessions
/// that wait for the first one are told to wait for this one. Follow it with
/// [`settle_session`](super::settle_session) or [`settle_revocation`](super::settle_revocation), as the first one.
///
/// # Errors
/// As [`speed_up_user_operation`]; `InvalidInput` for a change of sessions that no stored session waits for any more: it was
/// given up, so it has to be granted, or revoked, anew. `Storage`: nothing was sent.
pub async fn speed_up_session_change(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    stuck: &UserOperation,
    fees: &GasFees,
) -> Result<UserOpResponse, AppError> {
    speed_up_as_owner(client, Some(store), stuck, fees, async |_| Ok(())).await
}

/// `about_to_send` hears of the hash of each operation that is signed, before that is sent.
pub(super) async fn speed_up_as_owner(
    client: &SmartAccountClient,
    store: Option<&dyn SessionStore>,
    stuck: &UserOperation,
    fees: &GasFees,
    about_to_send: impl AsyncFn(B256) -> Result<(), AppError>,
) -> Result<UserOpResponse, AppError> {
    check_account(client.kind(), stuck)?;
    let relay = client.relay.as_ref();
    let chain_id = relay.chain_info().await?.chain_id;
    check_wallet_chain(client, chain_id).await?;
    let at = Replaced { relay, store, kind: client.kind() };
    replace(at, stuck, fees, async |_, user_op_hash, is_again| {
        if is_again {
            client.wallet.signs_again();
        }
        let given = client.wallet.sign_message(user_op_hash.as_slice()).await?;
        let signature = owner_signature(client.owner, eip191_hash_message(user_op_hash), &given)?;
        about_to_send(user_op_hash).await?;
        Ok(client.kind().owner_signature(signature))
    })
    .await
}

/// Can it be overtaken at all, by what is known without asking anybody? So that nothing is offered that can only fail.
///
/// # Errors
/// `InvalidInput` as [`speed_up_session_change`].
pub async fn check_speed_up(
    store: &dyn SessionStore,
    stuck: &UserOperation,
    user_op_hash: B256,
) -> Result<(), AppError> {
    refuse_paid_in_a_token(stuck)?;
    OvertakenSessions::of(store, stuck, user_op_hash).await.map(drop)
}

/// The same for whoever else signed the first one, a session key for instance: `sign` makes the whole signature of the
/// operation out of the hash. `kind` is the account that sent it.
///
/// # Errors
/// As [`speed_up_user_operation`]; those of `sign`.
pub async fn speed_up_user_operation_with(
    relay: &dyn Relay,
    kind: &dyn AccountKind,
    stuck: &UserOperation,
    fees: &GasFees,
    sign: impl Fn(B256) -> Result<Bytes, AppError>,
) -> Result<UserOpResponse, AppError> {
    let at = Replaced { relay, store: None, kind };
    replace(at, stuck, fees, async |_, user_op_hash, _| sign(user_op_hash)).await
}

/// The same for a use of Smart Account V2's sessions: their key, stored here or shared by nodes, signs anew around the same
/// proofs.
///
/// # Errors
/// As [`speed_up_user_operation`]; `SessionNotFound` when the session is not stored here; those of store and nodes.
pub async fn speed_up_session_use(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    stuck: &UserOperation,
    fees: &GasFees,
) -> Result<UserOpResponse, AppError> {
    let kind = &BiconomyV2::deployed(stuck.sender);
    check_account(kind, stuck)?;
    let used = SessionSignature::read(&stuck.signature)
        .ok_or_else(|| AppError::invalid("stuck.signature", "that of a session key", "another one"))?;
    let book = store.load(stuck.sender).await?;
    let data = used.session_key_data();
    let leaf = book.leaf_nodes.iter().find(|leaf| data.first() == Some(&&leaf.session_key_data));
    let leaf = leaf.ok_or_else(|| AppError::SessionNotFound { wanted: "the session that was used".into() })?;
    let key = match DanModuleInfo::of(leaf)? {
        Some(_) => None,
        None => Some(store.signer(stuck.sender, leaf.session_key_address).await?),
    };
    let at = Replaced { relay, store: None, kind };
    replace(at, stuck, fees, async |operation, user_op_hash, _| {
        let signature = match &key {
            Some(key) => {
                let signature = key.sign_message_sync(user_op_hash.as_slice());
                signature.map_err(|error| AppError::Key { reason: error.to_string() })?.as_bytes().into()
            }
            None => sign_anew(store, keys, leaf, operation, user_op_hash).await?,
        };
        Ok(used.clone().with(&signature))
    })
    .await
}

/// Where an operation is replaced, and what is known of its account.
pub(super) struct Replaced<'a> {
    pub relay: &'a dyn Relay,
    /// With the book of leaves that may wait for it.
    pub store: Option<&'a dyn SessionStore>,
    pub kind: &'a dyn AccountKind,
}

/// Sends the replacement; once more when the bundler wants still higher fees. What `sign` was asked for is sent next.
pub(super) async fn replace(
    Replaced { relay, store, kind }: Replaced<'_>,
    stuck: &UserOperation,
    fees: &GasFees,
    sign: impl AsyncFn(&UserOperation, B256, bool) -> Result<Bytes, AppError>,
) -> Result<UserOpResponse, AppError> {
    check_account(kind, stuck)?;
    refuse_paid_in_a_token(stuck)?;
    let chain_id = relay.chain_info().await?.chain_id;
    let sessions = match store {
        Some(store) => Some(OvertakenSessions::of(store, stuck, stuck.hash(chain_id)).await?),
        None if SessionChange::of(stuck) != SessionChange::Nothing => {
            let expected = "an operation that changes no sessions (`speed_up_session_change` keeps their book)";
            return Err(AppError::invalid("stuck.callData", expected, "a new root of sessions"));
        }
        None => None,
    };
    let send = async |fees: GasFees, is_again: bool| {
        let mut operation = with_fees(relay, stuck, fees, None).await?;
        // Another one may take a token for it, on terms that nobody can read here.
        if paymaster_of(&operation) != paymaster_of(stuck) {
            let expected = "the paymaster that sponsors operations now";
            return Err(AppError::invalid(
                "stuck.paymasterAndData",
                expected,
                Bytes::copy_from_slice(paymaster_of(stuck)),
            ));
        }
        check_rest(relay, kind, stuck, &operation).await?;
        let user_op_hash = operation.hash(chain_id);
        operation.signature = sign(&operation, user_op_hash, is_again).await?;
        let overtaken = match &sessions {
            Some(sessions) => sessions.wait_for(&operation, user_op_hash).await?,
            None => Vec::new(),
        };
        let sent = relay.send(&operation, None).await;
        if let (Some(sessions), Err(error)) = (&sessions, &sent) {
            sessions.not_sent(relay, user_op_hash, &overtaken, error).await;
        }
        Ok::<_, AppError>((operation, user_op_hash, sent))
    };
    let least = fees_of(stuck).bumped();
    let fees = GasFees {
        max_fee_per_gas: least.max_fee_per_gas.max(fees.max_fee_per_gas),
        max_priority_fee_per_gas: least.max_priority_fee_per_gas.max(fees.max_priority_fee_per_gas),
    };
    let (operation, user_op_hash, sent) = send(fees, false).await?;
    let refusal = match sent {
        Ok(reported) => return named(user_op_hash, reported),
        Err(refusal) => refusal,
    };
    let Some(fees) = fees_that_are_taken(relay, &operation, &refusal).await else { return Err(refusal) };
    let (_, user_op_hash, sent) = send(fees, true).await?;
    named(user_op_hash, sent?)
}

/// Its address; nothing where the account pays.
fn paymaster_of(operation: &UserOperation) -> &[u8] {
    operation.paymaster_and_data.get(..20).unwrap_or_default()
}

fn named(user_op_hash: B256, reported: B256) -> Result<UserOpResponse, AppError> {
    if reported != user_op_hash {
        let reason = format!("it calls operation {user_op_hash} by another hash, {reported}");
        return Err(AppError::UpstreamMalformed { upstream: Upstream::Bundler, reason });
    }
    Ok(UserOpResponse { user_op_hash, session: None })
}

/// Did this account send it? What is decoded and read of it by another kind would tell nothing.
pub(super) fn check_account(kind: &dyn AccountKind, stuck: &UserOperation) -> Result<(), AppError> {
    if kind.entry_point() != stuck.entry_point {
        let expected = format!("entry point {}, of accounts of kind {}", kind.entry_point(), kind.name());
        return Err(AppError::invalid("stuck.entryPoint", expected, stuck.entry_point));
    }
    if kind.address() != stuck.sender {
        let expected = format!("the account that is to send it again, {}", kind.address());
        return Err(AppError::invalid("stuck.sender", expected, stuck.sender));
    }
    Ok(())
}

pub(super) fn refuse_paid_in_a_token(stuck: &UserOperation) -> Result<(), AppError> {
    if is_paid_in_a_token(stuck) {
        let expected = "an operation that is sponsored or pays itself (its token quote is for the old fees)";
        return Err(AppError::invalid("stuck.paymasterAndData", expected, "a token paymaster"));
    }
    Ok(())
}

/// An account that pays itself and sends all its native currency away leaves just what the first fees may cost: with higher
/// ones the calls would revert. What the first one did not cover either comes from elsewhere.
async fn check_rest(
    relay: &dyn Relay,
    kind: &dyn AccountKind,
    stuck: &UserOperation,
    faster: &UserOperation,
) -> Result<(), AppError> {
    let leaves = native_that_leaves(kind, stuck);
    if !faster.paymaster_and_data.is_empty() || leaves.is_zero() {
        return Ok(());
    }
    let balance = kind.read_state(relay, U256::ZERO).await?.balance;
    let funds = balance.saturating_add(read_deposit(relay, stuck.entry_point, stuck.sender).await?);
    let is_covered = |operation: &UserOperation| leaves.saturating_add(operation.required_prefund()) <= funds;
    if is_covered(stuck) && !is_covered(faster) {
        let expected = "an operation that leaves the account what the higher fees need: start anew";
        return Err(AppError::invalid("stuck.callData", expected, format!("{leaves} of {funds} wei sent away")));
    }
    Ok(())
}

/// What the calls take out of balance and deposit.
fn native_that_leaves(kind: &dyn AccountKind, operation: &UserOperation) -> U256 {
    let calls = kind.decode_calls(&operation.call_data).unwrap_or_default();
    let of_deposit = |call: &Call| operation.entry_point.withdrawn_by(call).unwrap_or_default();
    calls.iter().fold(U256::ZERO, |sum, call| sum.saturating_add(call.value).saturating_add(of_deposit(call)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::rc::Rc;

    use alloy::{
        primitives::{Address, Signature, U256},
        signers::{SignerSync, local::PrivateKeySigner},
    };

    use super::*;
    use crate::fake::{Fake, nexus_client};
    use use_aa_protocol::{
        paymaster::{TokenPaymasterData, VerifyingPaymasterData},
        smart_account::{Call, encode_calls},
    };

    fn fees(fee: u64, tip: u64) -> GasFees {
        GasFees { max_fee_per_gas: U256::from(fee), max_priority_fee_per_gas: U256::from(tip) }
    }

    fn world() -> (Fake, SmartAccountClient, UserOperation) {
        let fake = Fake::new();
        let client = SmartAccountClient::new(Rc::new(fake.clone()), Rc::new(fake.clone()));
        let stuck = UserOperation {
            sender: client.account,
            call_data: encode_calls(&[Call { to: Address::repeat_byte(5), ..Default::default() }], false).unwrap(),
            call_gas_limit: U256::from(777),
            max_fee_per_gas: U256::from(100),
            max_priority_fee_per_gas: U256::from(15),
            signature: vec![1].into(),
            ..Default::default()
        };
        (fake, client, stuck)
    }

    #[tokio::test]
    async fn the_owner_signs_the_same_again_for_at_least_a_tenth_more() {
        for (offered, paid) in [(fees(1, 1), fees(110, 17)), (fees(500, 16), fees(500, 17))] {
            let (fake, client, stuck) = world();
            let response = speed_up_user_operation(&client, &stuck, &offered).await.unwrap();
            let sent = fake.last_sent();
            assert_eq!(
                (sent.max_fee_per_gas, sent.max_priority_fee_per_gas),
                (paid.max_fee_per_gas, paid.max_priority_fee_per_gas)
            );
            assert_eq!(
                (sent.nonce, &sent.call_data, sent.call_gas_limit),
                (stuck.nonce, &stuck.call_data, stuck.call_gas_limit)
            );
            assert_eq!(response.user_op_hash, sent.hash(31_337));
            assert_ne!(response.user_op_hash, stuck.hash(31_337));
            let inner = &sent.signature[sent.signature.len() - 96..][..65];
            let signer = Signature::from_raw(inner).unwrap().recover_address_from_msg(response.user_op_hash);
            assert_eq!(signer.unwrap(), client.owner);
        }
    }

    #[tokio::test]
    async fn the_sponsor_signs_the_new_fees() {
        let (fake, client, mut stuck) = world();
        let old = VerifyingPaymasterData {
            paymaster: Address::repeat_byte(9),
            paymaster_id: Address::ZERO,
            valid_until: 1,
            valid_after: 0,
            signature: vec![2; 65].into(),
        };
        stuck.paymaster_and_data = old.encode();
        speed_up_user_operation(&client, &stuck, &fees(0, 0)).await.unwrap();
        let data = VerifyingPaymasterData::decode(&fake.last_sent().paymaster_and_data).unwrap();
        assert_eq!((data.paymaster, data.valid_until), (Address::repeat_byte(9), 4_000_000_000));
    }

    #[tokio::test]
    async fn a_quote_in_a_token_is_not_used_twice() {
        let (fake, client, mut stuck) = world();
        let token = TokenPaymasterData {
            paymaster: Address::repeat_byte(8),
            price_source: 0,
            valid_until: 1,
            valid_after: 0,
            fee_token: Address::repeat_byte(7),
            oracle_aggregator: Address::ZERO,
            exchange_rate: U256::from(5),
            price_markup: 1_000_000,
            signature: vec![2; 65].into(),
        };
        stuck.paymaster_and_data = token.encode();
        let error = speed_up_user_operation(&client, &stuck, &fees(0, 0)).await.unwrap_err();
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "stuck.paymasterAndData"), "{error}");
        assert_eq!(fake.sent(), 0);
        // Nor in another paymaster's layout, which tells nobody here what it takes.
        stuck.paymaster_and_data = [&[8; 20][..], &[1; 100]].concat().into();
        let error = speed_up_user_operation(&client, &stuck, &fees(0, 0)).await.unwrap_err();
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "stuck.paymasterAndData"), "{error}");
        assert_eq!(fake.sent(), 0);
    }

    #[tokio::test]
    async fn another_owner_is_not_asked_to_sign() {
        let (_, _, stuck) = world();
        let (fake, other, _) = world();
        fake.fail(crate::fake::Step::WalletSign, AppError::WalletRejected);
        let error = speed_up_user_operation(&other, &stuck, &fees(0, 0)).await.unwrap_err();
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "stuck.sender"), "{error}");
        assert_eq!(fake.sent(), 0);
    }

    /// Read as another kind's, the call data would seem to send nothing away.
    #[tokio::test]
    async fn an_operation_is_sped_up_as_the_kind_of_account_that_sent_it() {
        let fake = Fake::new();
        let client = nexus_client(&fake);
        let gone = Call { to: client.owner, value: U256::from(1_000), ..Default::default() };
        let stuck = UserOperation {
            entry_point: client.kind().entry_point(),
            sender: client.account,
            nonce: client.kind().owner_nonce_key(U256::ZERO).unwrap() << 64,
            call_data: client.kind().encode_calls(&[gone], false).unwrap(),
            call_gas_limit: U256::from(777),
            max_fee_per_gas: U256::from(100),
            max_priority_fee_per_gas: U256::from(15),
            signature: vec![1].into(),
            ..Default::default()
        };
        let sign = |_| Ok(Bytes::from(vec![2]));
        let refused = async |kind: &dyn AccountKind, stuck: &UserOperation, expected: &str| {
            let error = speed_up_user_operation_with(&fake, kind, stuck, &fees(0, 0), sign).await.unwrap_err();
            assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == expected), "{error}");
        };
        refused(&BiconomyV2::deployed(stuck.sender), &stuck, "stuck.entryPoint").await;
        refused(client.kind(), &UserOperation { sender: client.owner, ..stuck.clone() }, "stuck.sender").await;
        let error = speed_up_session_use(&fake, &fake, &fake, &stuck, &fees(0, 0)).await.unwrap_err();
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "stuck.entryPoint"), "{error}");
        fake.answer_amount(stuck.entry_point.address(), U256::from(1_000) + stuck.required_prefund());
        refused(client.kind(), &stuck, "stuck.callData").await;
        assert_eq!(fake.sent(), 0);
        fake.answer_amount(stuck.entry_point.address(), U256::from(1_000) + stuck.required_prefund() * U256::from(2));
        speed_up_user_operation_with(&fake, client.kind(), &stuck, &fees(0, 0), sign).await.unwrap();
        speed_up_user_operation(&client, &UserOperation { nonce: stuck.nonce + U256::ONE, ..stuck }, &fees(0, 0))
            .await
            .unwrap();
        assert_eq!(fake.sent(), 2);
    }

    #[tokio::test]
    async fn what_the_higher_fees_need_must_not_be_sent_away() {
        let (fake, client, mut stuck) = world();
        let gone = Call { to: client.owner, value: U256::from(1_000), ..Default::default() };
        stuck.call_data = encode_calls(&[gone], false).unwrap();
        let just_enough = U256::from(1_000) + stuck.required_prefund();
        fake.answer_amount(stuck.entry_point.address(), just_enough);
        let error = speed_up_user_operation(&client, &stuck, &fees(0, 0)).await.unwrap_err();
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "stuck.callData"), "{error}");
        assert_eq!(fake.sent(), 0);
        // A tenth more is there; or the first one did not have it either, so it comes from elsewhere.
        for there in [just_enough * U256::from(2), U256::from(5)] {
            let (fake, client, _) = world();
            let stuck = UserOperation { sender: client.account, ..stuck.clone() };
            fake.answer_amount(stuck.entry_point.address(), there);
            speed_up_user_operation(&client, &stuck, &fees(0, 0)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_session_key_may_sign_its_own() {
        let (fake, _, stuck) = world();
        let key = PrivateKeySigner::random();
        let sign = |hash: B256| Ok(key.sign_message_sync(hash.as_slice()).unwrap().as_bytes().into());
        let kind = BiconomyV2::deployed(stuck.sender);
        let response = speed_up_user_operation_with(&fake, &kind, &stuck, &fees(0, 0), sign).await.unwrap();
        let signature = Signature::from_raw(&fake.last_sent().signature).unwrap();
        assert_eq!(signature.recover_address_from_msg(response.user_op_hash).unwrap(), key.address());
    }
}

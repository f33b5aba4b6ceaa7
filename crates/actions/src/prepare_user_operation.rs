//! Builds a user operation up to the point where only the signature is missing.

use alloy::primitives::{Address, B256, Bytes, U256};
use futures::future::try_join3;
use serde_json::Value;

use super::{
    account::SmartAccountClient,
    account_kind::AccountKind,
    clock::unix_seconds,
    gas::{offset_fees, offset_limits, set_limits},
    options::{BuildUserOpOptions, GasOffset, PaymasterServiceData, merge_json},
    ports::Relay,
    token_payment::{TokenPayment, asked, rich},
};
use crate::error::AppError;
use use_aa_protocol::{
    ProtocolError,
    clocks::Clocks,
    entry_point::{EntryPoint, sponsored_until},
    rpc::{AccountState, ChainInfo, GasFees, PaymasterMode, SimulationType, SponsorContext, TokenInfo},
    session::RevocationOperation,
    user_operation::UserOperation,
};

/// A prepared operation older than this (seconds) is prepared again: fees move, and a paymaster's
/// signature lives 300 s by default.
pub const PREPARED_LIFETIME: u64 = 120;

/// What must be left of a paymaster's signature when an operation is sent, seconds.
const SPONSORSHIP_MARGIN: u64 = 20;

/// What was read from the chain before building, all in one round of parallel requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainSnapshot {
    /// Chain and services.
    pub chain: ChainInfo,
    /// The account at the latest block, with the nonce of the asked lane.
    pub account: AccountState,
    /// Fees to offer.
    pub fees: GasFees,
    /// When it was read, unix seconds.
    pub read_at: u64,
}

impl ChainSnapshot {
    /// What sessions are judged by: chain and server, and what this device takes to be over.
    pub fn now(&self) -> Clocks {
        self.account.clocks.on_device(unix_seconds())
    }
}

/// Reads chain, account and fees at the same time.
///
/// # Errors
/// Those of the [`Relay`]; `InvalidInput` when the nonce key does not fit in 192 bits.
pub async fn read_chain_snapshot(
    relay: &dyn Relay,
    account: Address,
    options: &BuildUserOpOptions,
) -> Result<ChainSnapshot, AppError> {
    let nonce_key = nonce_key(options)?;
    let (chain, account, fees) =
        try_join3(relay.chain_info(), relay.account_state(account, nonce_key), relay.gas_fees()).await?;
    Ok(ChainSnapshot { chain, account, fees, read_at: unix_seconds() })
}

/// The same for an account of any kind. `key_of` makes the key of nonces out of the lane that the options name.
pub(super) async fn read_snapshot_of(
    kind: &dyn AccountKind,
    relay: &dyn Relay,
    options: &BuildUserOpOptions,
    key_of: impl Fn(U256) -> Result<U256, ProtocolError>,
) -> Result<ChainSnapshot, AppError> {
    let nonce_key = key_of(nonce_key(options)?)?;
    let (chain, account, fees) =
        try_join3(relay.chain_info(), kind.read_state(relay, nonce_key), relay.gas_fees()).await?;
    Ok(ChainSnapshot { chain, account, fees, read_at: unix_seconds() })
}

/// [`read_chain_snapshot`] for what the owner signs.
pub(super) async fn read_owner_snapshot(
    client: &SmartAccountClient,
    options: &BuildUserOpOptions,
) -> Result<ChainSnapshot, AppError> {
    let kind = client.kind();
    read_snapshot_of(kind, client.relay.as_ref(), options, |lane| kind.owner_nonce_key(lane)).await
}

fn nonce_key(options: &BuildUserOpOptions) -> Result<U256, AppError> {
    let nonce_key = options.nonce_options.and_then(|nonce| nonce.nonce_key).unwrap_or(U256::ZERO);
    if nonce_key >> 192 != U256::ZERO {
        return Err(AppError::invalid("nonceOptions.nonceKey", "a number below 2^192", nonce_key));
    }
    Ok(nonce_key)
}

/// What the operation does and how it is proved, before gas is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOperationDraft {
    /// Who takes it.
    pub entry_point: EntryPoint,
    /// The account.
    pub sender: Address,
    /// Deploys the account; empty when it has code.
    pub init_code: Bytes,
    /// What the account does.
    pub call_data: Bytes,
    /// Whole signature (docs/protocol.md 2.7) of the right length, for the estimate.
    pub dummy_signature: Bytes,
}

impl UserOperationDraft {
    /// The operation without limits and paymaster, at the fees of the snapshot.
    pub fn unpaid(&self, snapshot: &ChainSnapshot) -> UserOperation {
        UserOperation {
            entry_point: self.entry_point,
            sender: self.sender,
            nonce: snapshot.account.nonce,
            init_code: self.init_code.clone(),
            call_data: self.call_data.clone(),
            max_fee_per_gas: snapshot.fees.max_fee_per_gas,
            max_priority_fee_per_gas: snapshot.fees.max_priority_fee_per_gas,
            signature: self.dummy_signature.clone(),
            ..Default::default()
        }
    }
}

/// An operation that needs nothing but its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedUserOperation {
    /// All fields final but the signature, which is the dummy.
    pub user_operation: UserOperation,
    /// Hash that is to be signed; it does not depend on the signature.
    pub user_op_hash: B256,
    /// Chain the hash is for.
    pub chain: ChainInfo,
    /// When its chain state was read, unix seconds by this device.
    pub prepared_at: u64,
    /// What time that was by chain and server.
    pub clocks: Clocks,
    /// What the bundler is told to try out, if the caller said.
    pub simulation_type: Option<SimulationType>,
    /// What a paymaster was asked, where one pays.
    pub sponsor_context: Option<SponsorContext>,
}

impl PreparedUserOperation {
    /// Young enough to be sent as it is, with time left on the paymaster's signature.
    pub fn is_fresh(&self) -> bool {
        let on_time = self.elapsed_clocks().latest().saturating_add(SPONSORSHIP_MARGIN);
        let sponsored = self.sponsored_until().is_none_or(|until| on_time <= until);
        sponsored && unix_seconds().abs_diff(self.prepared_at) <= PREPARED_LIFETIME
    }

    /// What sessions are judged by now: see [`ChainSnapshot::now`].
    pub fn now(&self) -> Clocks {
        self.elapsed_clocks().on_device(unix_seconds())
    }

    /// The clocks of chain and server now; this device's only says how long ago they were asked.
    pub fn elapsed_clocks(&self) -> Clocks {
        self.clocks.later(unix_seconds().saturating_sub(self.prepared_at))
    }

    /// A paymaster pays.
    pub fn is_sponsored(&self) -> bool {
        !self.user_operation.paymaster_and_data.is_empty()
    }

    /// End of the paymaster's signature, unix seconds; `None` when there is no end or none is known.
    pub fn sponsored_until(&self) -> Option<u64> {
        sponsored_until(&self.user_operation)
    }

    /// What the leaves that it takes out are told of it.
    pub(super) fn as_revocation(&self) -> RevocationOperation {
        RevocationOperation {
            user_op_hash: self.user_op_hash,
            nonce: Some(self.user_operation.nonce),
            valid_until: self.sponsored_until(),
            in_doubt: false,
        }
    }

    /// The most that the operation can cost, wei (docs/protocol.md 6.6).
    pub fn required_prefund(&self) -> U256 {
        self.user_operation.required_prefund()
    }
}

/// Fills in nonce, fees, gas limits and paymaster (decision table of docs/protocol.md 6.1).
///
/// | Options | Requests |
/// |---|---|
/// | sponsored | sponsor (the paymaster reckons the limits) |
/// | sponsored, `calculate_gas_limits: false`, or with a state override or a dummy | estimate, offsets, sponsor |
/// | sponsored with `gas_offset` | sponsor for the limits, offsets, sponsor: the raised limits are signed (docs/protocol.md 10-S4) |
/// | ERC20 | as sponsored, after a look at the allowance; a quote first when only the token is given |
/// | no paymaster | estimate, offsets |
///
/// `@biconomy/use-aa` takes the limits for an offset from the bundler; that fails for an account without funds, and
/// leaves out what the paymaster's own check costs.
///
/// # Errors
/// `SponsorshipRefused` when a sponsor is asked for and there is none, or it does not pay (an
/// operation is never sent unsponsored instead); `GasTokenRefused` and `FeeQuoteExpired` in mode ERC20; `InvalidInput` for options out of range; those of
/// the [`Relay`].
pub async fn prepare_user_operation(
    relay: &dyn Relay,
    snapshot: &ChainSnapshot,
    draft: UserOperationDraft,
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    let offset = options.gas_offset.filter(|offset| *offset != GasOffset::default());
    let fees = match &offset {
        Some(offset) => offset_fees(&snapshot.fees, offset)?,
        None => snapshot.fees.clone(),
    };
    let nonce_override = options.nonce_options.and_then(|nonce| nonce.nonce_override);
    let mut user_operation = UserOperation {
        nonce: nonce_override.unwrap_or(snapshot.account.nonce),
        max_fee_per_gas: fees.max_fee_per_gas,
        max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        ..draft.unpaid(snapshot)
    };
    let limits = |gas| match &offset {
        Some(offset) => offset_limits(&gas, offset),
        None => Ok(gas),
    };
    let payment = match asked(options) {
        Some(_) => Some(TokenPayment::find(relay, &draft.unpaid(snapshot), options, snapshot.account.clocks).await?),
        None => None,
    };
    if let Some(payment) = &payment {
        payment.check_allowed(relay, user_operation.sender, &user_operation.call_data).await?;
    }
    // Only the bundler's estimate knows what to do with these.
    let for_bundler = options.state_override_set.is_some() || options.dummy_pnd_override.is_some();
    let asked_sponsor = sponsor_context(&snapshot.chain, options, payment.as_ref())?;
    match asked_sponsor.clone() {
        None => {
            // The caller's stand-in is for the estimate only.
            let paymaster_and_data = options.dummy_pnd_override.clone().unwrap_or_default();
            let estimated = UserOperation { paymaster_and_data, ..user_operation.clone() };
            let gas = relay.estimate(&estimated, options.state_override_set.clone()).await?;
            set_limits(&mut user_operation, &limits(gas)?);
        }
        Some(context) if context.calculate_gas_limits && offset.is_none() && !for_bundler => {
            sponsor(relay, &mut user_operation, &context).await?;
        }
        Some(context) => {
            let gas = if context.calculate_gas_limits && !for_bundler {
                let sponsorship = relay.sponsor(&user_operation, &context).await?;
                user_operation.paymaster_and_data = sponsorship.paymaster_and_data;
                sponsorship.gas
            } else {
                // The account need not be able to pay what a paymaster will pay.
                let caller = options.state_override_set.clone().unwrap_or(Value::Null);
                let state = merge_json(rich(user_operation.sender), caller);
                user_operation.paymaster_and_data = options.dummy_pnd_override.clone().unwrap_or_default();
                relay.estimate(&user_operation, Some(state)).await?
            };
            // What is left are the paymaster's own limits, where it has some: they are signed as they were found.
            user_operation.clear_paymaster_data();
            set_limits(&mut user_operation, &limits(gas)?);
            let context = SponsorContext { calculate_gas_limits: false, ..context };
            sponsor(relay, &mut user_operation, &context).await?;
        }
    }
    if let Some(payment) = &payment {
        payment.check_signed(&user_operation)?;
    }
    let user_op_hash = user_operation.hash(snapshot.chain.chain_id);
    Ok(PreparedUserOperation {
        user_operation,
        user_op_hash,
        chain: snapshot.chain.clone(),
        prepared_at: snapshot.read_at,
        clocks: snapshot.account.clocks,
        simulation_type: options.simulation_type,
        sponsor_context: asked_sponsor,
    })
}

/// Takes over what the paymaster signed: its data and the limits that the signature covers.
pub(super) async fn sponsor(
    relay: &dyn Relay,
    user_operation: &mut UserOperation,
    context: &SponsorContext,
) -> Result<(), AppError> {
    let sponsorship = relay.sponsor(user_operation, context).await?;
    if sponsorship.paymaster_and_data.len() < user_operation.entry_point.paymaster_data_offset() {
        return Err(AppError::SponsorshipRefused { reason: "the paymaster gave no signature".into() });
    }
    set_limits(user_operation, &sponsorship.gas);
    user_operation.paymaster_and_data = sponsorship.paymaster_and_data;
    Ok(())
}

/// Who pays, or `None` for the account itself.
fn sponsor_context(
    chain: &ChainInfo,
    options: &BuildUserOpOptions,
    payment: Option<&TokenPayment>,
) -> Result<Option<SponsorContext>, AppError> {
    let Some(PaymasterServiceData { mode: Some(mode), calculate_gas_limits, expiry_duration, webhook_data, .. }) =
        &options.paymaster_service_data
    else {
        return Ok(None);
    };
    if *mode == PaymasterMode::Sponsored && !chain.sponsored {
        return Err(AppError::SponsorshipRefused { reason: "this server has no paymaster".into() });
    }
    Ok(Some(SponsorContext {
        mode: *mode,
        calculate_gas_limits: calculate_gas_limits.unwrap_or(true),
        expiry_duration: *expiry_duration,
        webhook_data: webhook_data.clone(),
        token_info: payment.map(|payment| TokenInfo { fee_token_address: payment.quote.token_address }),
    }))
}

#[cfg(test)]
mod tests;

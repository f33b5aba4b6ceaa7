//! Sponsorship: what this server pays for, decided by a [`SponsorPolicy`], counted in budgets, written to a ledger.
//!
//! Around whatever paymaster signs (built-in or remote): the policy and the webhooks are asked before, and no signature
//! leaves before its cost is reserved and the decision is in the database. When the database does not answer, nothing is
//! sponsored.

mod account_code;
mod advance;
mod calls;
mod check;
mod deployment;
mod file;
mod ledger;
mod limits;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod nexus_tests;
pub(super) mod policy;
pub(super) mod pre_verification_gas;
mod requester;
mod sessions;
mod settle;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod settle_tests;
#[cfg(test)]
mod tests;
mod unused_gas;
mod webhook;

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use alloy::primitives::{Address, U256};

use self::{
    advance::AdvanceRequest,
    check::{FeeTaker, mode_name},
    ledger::Decision,
    limits::{BudgetOutcome, Limits},
};
use super::{api_key::ApiKey, bundler::Bundler, database::Database, market::DEFAULT_FEE_FACTOR, node::ChainNode};
use use_aa_actions::{clock::unix_seconds, error::AppError};
use use_aa_protocol::{
    addresses::TOKEN_PAYMASTER,
    entry_point::{EntryPoint, sponsored_until},
    rpc::{PaymasterMode, SponsorContext, Sponsorship},
    user_operation::UserOperation,
};

pub use self::{
    file::PolicyError,
    ledger::LedgerEntry,
    policy::{AdvanceLimits, Budgets, Caps, Functions, Open, SponsorPolicy, Target, TargetAddress, Webhook},
};

/// The lab's policy.
const LAB_POLICY: &str = include_str!("sponsor/policy.lab.toml");
/// Budgets of the lab's policy on a public network, wei: 0.05 and 1 of the native token.
const DEFAULT_BUDGETS: [u64; 2] = [50_000_000_000_000_000, 1_000_000_000_000_000_000];
/// How long a remote paymaster's offer is taken to be good when its data does not tell, seconds.
const UNKNOWN_LIFE: u64 = 3_600;
/// Gas of a first grant, the most that its limits make of it: deploying, enabling, storing the root. Some 1,600,000 in
/// the lab; the rest is for dearer set-ups.
const FIRST_GRANT_GAS: u64 = 3_000_000;
/// Pause between two looks at what became of the signatures: in the lab, and elsewhere.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(12)];

/// Decides, reserves, writes down and settles; cheap to clone.
#[derive(Clone)]
pub struct Sponsor {
    inner: Arc<Inner>,
}

struct Inner {
    policy: SponsorPolicy,
    /// Nobody wrote the policy, and the network is not the lab: see [`Inner::at_least`].
    default_policy: bool,
    /// May be approved to take its fee, in mode ERC20.
    token_paymaster: Address,
    /// The same on entry point v0.7; `None` = there is none.
    token_paymaster_v07: Option<Address>,
    /// It is ours: what it pays before it is paid back is our money.
    advances: bool,
    chain_id: u64,
    database: Database,
    node: ChainNode,
    bundler: Bundler,
    /// Only when there are webhooks: the client reads the system's certificates.
    http: Option<reqwest::Client>,
    /// How long decisions are kept, seconds.
    kept: u64,
    pause: Duration,
    settles: AtomicBool,
    /// When the latest look began that somebody waited for.
    settled_at: tokio::sync::Mutex<Option<std::time::Instant>>,
}

/// What a sponsor is told.
pub(super) struct Settings {
    /// What is paid for; `None` = everything, within the default budgets.
    pub(super) policy: Option<SponsorPolicy>,
    /// The chain is the lab's.
    pub(super) lab: bool,
    /// A paymaster is configured.
    pub(super) pays: bool,
    pub(super) chain_id: u64,
    /// The contract that takes fees in tokens, when the server signs for one.
    pub(super) token_paymaster: Option<Address>,
    /// The same on entry point v0.7.
    pub(super) token_paymaster_v07: Option<Address>,
    /// Days for which decisions are kept.
    pub(super) ledger_days: u64,
}

/// What somebody wants to have paid.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) user_operation: &'a UserOperation,
    pub(super) context: &'a SponsorContext,
    pub(super) requester: Requester<'a>,
}

/// Who wants it.
#[derive(Clone, Copy, Default)]
pub struct Requester<'a> {
    /// The key of the JSON-RPC path, when it came that way.
    pub api_key: Option<&'a ApiKey>,
    /// The address that counts as one caller.
    pub caller: Option<IpAddr>,
}

impl SponsorPolicy {
    /// The lab's, and with small budgets that of a server for which nobody wrote one.
    fn without_file(lab: bool) -> Result<Self, AppError> {
        let unusable = |error| AppError::Internal { reason: format!("the lab's sponsorship policy: {error}") };
        let mut policy = Self::parse(LAB_POLICY, |_| None).map_err(unusable)?;
        if !lab {
            let [account, global] = DEFAULT_BUDGETS.map(|wei| Some(U256::from(wei)));
            policy.budgets = Budgets { account_per_day: account, global_per_day: global };
            policy.open = file::default_open(global).map_err(unusable)?;
            policy.advance = AdvanceLimits::default();
            // The lab's gas, of which an operation takes more elsewhere.
            policy.caps.built_in = true;
            policy.caps.unused_call_gas = None;
            "default".clone_into(&mut policy.version);
        }
        Ok(policy)
    }
}

impl Sponsor {
    /// There is always one: whoever pays in the end, budgets hold.
    pub(super) fn new(
        settings: Settings,
        database: Database,
        node: ChainNode,
        bundler: Bundler,
    ) -> Result<Self, AppError> {
        let Settings { policy, lab, pays, chain_id, token_paymaster, token_paymaster_v07, ledger_days } = settings;
        let default_policy = policy.is_none() && !lab;
        let policy = match policy {
            Some(policy) => policy,
            None => {
                if !lab && pays {
                    tracing::warn!(
                        "no USE_AA_SPONSOR_POLICY: every call is paid for, up to 0.05 per account and 1 in all of the native \
                         token per day, or two and forty first grants where gas makes those dearer"
                    );
                }
                SponsorPolicy::without_file(lab)?
            }
        };
        let http = if policy.webhooks.is_empty() { None } else { Some(webhook::client()?) };
        let [in_lab, elsewhere] = PAUSES;
        let inner = Inner {
            policy,
            default_policy,
            token_paymaster: token_paymaster.unwrap_or(TOKEN_PAYMASTER),
            token_paymaster_v07,
            advances: token_paymaster.is_some(),
            chain_id,
            database,
            node,
            bundler,
            http,
            kept: ledger_days.saturating_mul(86_400),
            pause: if lab { in_lab } else { elsewhere },
            settles: AtomicBool::new(false),
            settled_at: Default::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Lets `sign` sign when the policy and the webhooks agree, and hands its signature out once it is in the ledger.
    pub(super) async fn guard(
        &self,
        request: Request<'_>,
        sign: impl Future<Output = Result<Sponsorship, AppError>> + Send,
    ) -> Result<Sponsorship, AppError> {
        let Request { user_operation, context, .. } = request;
        let mut decision = self.decision(request);
        let fee = self.fee_taker(user_operation.entry_point, context);
        let mut allowed = self.inner.policy.check(user_operation, context.mode, fee);
        if !context.calculate_gas_limits {
            allowed = allowed.and_then(|()| self.inner.policy.check_gas(user_operation, context.mode));
        }
        if let Err(reason) = allowed {
            return Err(self.refuse(decision, reason).await);
        }
        if user_operation.entry_point == EntryPoint::V07 {
            let Inner { node, policy, .. } = &*self.inner;
            let is_known = match user_operation.factory() {
                Some(_) => deployment::nexus::makes_the_sender(node, user_operation).await?,
                // What an account does beside its calls is its own to pay in mode ERC20.
                None if context.mode == PaymasterMode::Erc20 => Ok(()),
                None => account_code::check(node, policy, user_operation.sender).await?,
            };
            if let Err(reason) = is_known {
                return Err(self.refuse(decision, reason).await);
            }
        }
        let chain_id = self.inner.chain_id;
        if let Err(reason) = sessions::may_be_paid_for(&self.inner.node, chain_id, user_operation).await? {
            return Err(self.refuse(decision, reason).await);
        }
        let wanted = self.advance_request(request);
        if let Some(wanted) = &wanted
            && let Err(reason) = self.inner.may_advance(wanted).await?
        {
            return Err(self.refuse_token(decision, reason).await);
        }
        if let Some(http) = &self.inner.http {
            let webhooks = &self.inner.policy.webhooks;
            let (answers, verdict) = webhook::ask(http, webhooks, self.inner.chain_id, user_operation, context).await;
            decision.webhooks = serde_json::to_string(&answers).ok();
            if let Err(reason) = verdict {
                return Err(self.refuse(decision, reason).await);
            }
        }
        let sponsorship = match sign.await {
            Ok(sponsorship) => sponsorship,
            Err(AppError::SponsorshipRefused { reason }) => return Err(self.refuse(decision, reason).await),
            Err(AppError::GasTokenRefused { reason }) => return Err(self.refuse_token(decision, reason).await),
            // Nobody decided anything: an upstream failed, or the request is malformed.
            Err(error) => return Err(error),
        };
        let signed = signed_operation(user_operation, &sponsorship);
        decision.max_cost = signed.required_prefund();
        if let Err(reason) = self.inner.policy.check_gas(&signed, context.mode) {
            return Err(self.refuse(decision, reason).await);
        }
        if self.inner.policy.caps.pre_verification_gas.is_none()
            && let Err(reason) = pre_verification_gas::check(&self.inner.node, &self.inner.bundler, &signed).await
        {
            return Err(self.refuse(decision, reason).await);
        }
        decision.user_op_hash = signed.hash(self.inner.chain_id);
        // By the chain's clock, as it is settled by that.
        decision.valid_until = match sponsored_until(&signed) {
            Some(valid_until) => valid_until,
            None => self.inner.node.clocks().await?.window(UNKNOWN_LIFE).valid_until,
        };
        decision.paymaster = signed.paymaster();
        if let Some(wanted) = &wanted
            && let Err(reason) = self.inner.advance(wanted, &decision, &signed).await?
        {
            return Err(self.refuse_token(decision, reason).await);
        }
        let open = self.inner.policy.open;
        let first_grant = first_grants(1, &signed);
        // However dear gas is.
        let [caller_amount, unproven_amount] =
            [open.caller_amount, open.unproven_amount].map(|most| most.map(|amount| amount.max(first_grant)));
        let Budgets { account_per_day, global_per_day } = self.inner.policy.budgets;
        let limits = (context.mode == PaymasterMode::Sponsored).then(|| Limits {
            account: self.inner.at_least(account_per_day, 2, &signed),
            key: request.requester.api_key.and_then(|key| key.budget_per_day),
            global: self.inner.at_least(global_per_day, 40, &signed),
            open: Open { caller_amount, unproven_amount, ..open },
        });
        match self.inner.database.grant(&decision, limits.as_ref()).await? {
            BudgetOutcome::Written => {
                tracing::info!(user_op_hash = %decision.user_op_hash, entry_point = %decision.entry_point, account = %decision.account,
                    max_cost = %decision.max_cost, mode = decision.mode, "sponsored");
                self.start_settling();
                Ok(sponsorship)
            }
            BudgetOutcome::Exhausted { budget, limit } => {
                let reason = format!("{budget} budget of {limit} wei for today does not reach");
                Err(self.refuse(decision, reason).await)
            }
            BudgetOutcome::Crowded { whose, most } => {
                let reason = format!(
                    "{whose} {most} sponsorships already that were neither used nor ran out; use one, or wait until it has \
                     run out"
                );
                Err(self.refuse(decision, reason).await)
            }
            BudgetOutcome::Overdrawn { whose, most } => {
                let reason = format!(
                    "{whose} would have more than {most} wei reserved by sponsorships that were neither used nor ran out; use \
                     one, or wait until it has run out"
                );
                Err(self.refuse(decision, reason).await)
            }
        }
    }

    /// Both fees are paid up to so many times what is due.
    pub(super) fn fee_factor(&self) -> u64 {
        self.inner.policy.caps.fee_factor.unwrap_or(DEFAULT_FEE_FACTOR)
    }

    /// The longest life of a signature for who asks, seconds; shorter for who comes without a key.
    pub(super) fn longest_life(&self, requester: Requester<'_>) -> Option<u64> {
        let unproven = self.inner.policy.open.unproven_seconds.filter(|_| requester.api_key.is_none());
        [self.inner.policy.caps.expiry, unproven].into_iter().flatten().min()
    }

    /// Would the policy pay for it, as far as can be told before anything is signed? Nothing is written.
    pub(super) fn would_allow(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<(), AppError> {
        let fee = self.fee_taker(user_operation.entry_point, context);
        let checked = self.inner.policy.check(user_operation, context.mode, fee);
        checked.map_err(|reason| AppError::SponsorshipRefused { reason })
    }

    /// Who takes the fee, when it is paid in a token.
    fn fee_taker(&self, entry_point: EntryPoint, context: &SponsorContext) -> Option<FeeTaker> {
        let token = context.token_info.filter(|_| context.mode == PaymasterMode::Erc20)?.fee_token_address;
        let spender = match entry_point {
            EntryPoint::V06 => self.inner.token_paymaster,
            EntryPoint::V07 => self.inner.token_paymaster_v07?,
        };
        Some(FeeTaker { token, spender })
    }

    /// What is advanced from our own deposit. On v0.7 nothing is: there the fee is taken while the operation is validated.
    fn advance_request(&self, Request { user_operation, context, .. }: Request<'_>) -> Option<AdvanceRequest> {
        if user_operation.entry_point == EntryPoint::V07 {
            return None;
        }
        let FeeTaker { token, .. } =
            self.fee_taker(user_operation.entry_point, context).filter(|_| self.inner.advances)?;
        let UserOperation { entry_point, sender: account, nonce, .. } = *user_operation;
        Some(AdvanceRequest { entry_point, account, token, nonce })
    }

    fn decision(&self, request: Request<'_>) -> Decision {
        let Request { user_operation, context, requester: Requester { api_key, caller } } = request;
        Decision {
            chain_id: self.inner.chain_id,
            decided_at: unix_seconds(),
            entry_point: user_operation.entry_point,
            mode: mode_name(context.mode),
            account: user_operation.sender,
            nonce: user_operation.nonce,
            user_op_hash: user_operation.hash(self.inner.chain_id),
            max_cost: user_operation.required_prefund(),
            policy_version: self.inner.policy.version.clone(),
            api_key: api_key.map(|key| key.id.clone()),
            webhooks: None,
            valid_until: 0,
            paymaster: None,
            caller,
        }
    }

    /// Writes the refusal down; the answer is a refusal, whether that worked or not.
    async fn refuse(&self, decision: Decision, reason: String) -> AppError {
        tracing::info!(account = %decision.account, mode = decision.mode, %reason, "not sponsored");
        if let Err(error) = self.inner.database.refuse(&decision, &reason).await {
            tracing::error!(%error, account = %decision.account, "a refusal is not in the ledger");
        }
        AppError::SponsorshipRefused { reason }
    }

    /// The same, for who wants to pay in a token.
    async fn refuse_token(&self, decision: Decision, reason: String) -> AppError {
        self.refuse(decision, reason.clone()).await;
        AppError::GasTokenRefused { reason }
    }
}

impl Inner {
    /// A limit of the default policy, which no operator chose for this chain: at least so many first grants at the
    /// operation's fees, which were checked. What 0.05 of the native token buys differs by a thousand between chains.
    fn at_least(&self, limit: Option<U256>, count: u64, signed: &UserOperation) -> Option<U256> {
        limit.map(|limit| if self.default_policy { limit.max(first_grants(count, signed)) } else { limit })
    }
}

/// What so many first grants cost at the operation's fees, wei. What its data costs was checked, too, and may be most of it.
fn first_grants(count: u64, signed: &UserOperation) -> U256 {
    let gas = U256::from(FIRST_GRANT_GAS).saturating_add(signed.pre_verification_gas);
    gas.saturating_mul(U256::from(count)).saturating_mul(signed.max_fee_per_gas)
}

/// The operation as the paymaster signed it.
fn signed_operation(user_operation: &UserOperation, sponsorship: &Sponsorship) -> UserOperation {
    let paymaster_and_data = sponsorship.paymaster_and_data.clone();
    let mut signed = UserOperation { paymaster_and_data, ..user_operation.clone() };
    sponsorship.gas.set(&mut signed);
    signed
}

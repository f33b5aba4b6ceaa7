//! Takes tokens and ether out of the account (docs/protocol.md 2.12).

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use serde::{Deserialize, Serialize};

use super::{
    account::SmartAccountClient,
    native_rest::prepare_rest,
    options::BuildUserOpOptions,
    prepare_user_operation::{PreparedUserOperation, read_owner_snapshot},
    send_transaction::{complete_transaction, prepare_owner_operation},
    token,
    token_payment::asked,
};
use crate::error::AppError;
use use_aa_protocol::{abi::IErc20, addresses::NATIVE_TOKEN, smart_account::Call, user_op_response::UserOpResponse};

/// One transfer out of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalRequest {
    /// The token, or [`NATIVE_TOKEN`] for ether.
    pub address: Address,
    /// How much, smallest units; `None` = all of it, `Some(0)` = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<U256>,
    /// Who gets it; `None` = the default recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Address>,
}

impl WithdrawalRequest {
    /// All of a token, or of the ether ([`NATIVE_TOKEN`]), to the default recipient.
    pub fn all(address: Address) -> Self {
        Self { address, amount: None, recipient: None }
    }

    fn is_native(&self) -> bool {
        self.address == NATIVE_TOKEN
    }
}

/// A request with its recipient and, but for all of the ether, its amount.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Withdrawal {
    token: Option<Address>,
    amount: Option<U256>,
    recipient: Address,
}

impl Withdrawal {
    /// `rest` is what "all of the ether" is.
    fn call(&self, rest: U256) -> Call {
        let amount = self.amount.unwrap_or(rest);
        match self.token {
            None => Call { to: self.recipient, value: amount, data: Default::default() },
            Some(token) => {
                let transfer = IErc20::transferCall { to: self.recipient, amount };
                Call { to: token, value: U256::ZERO, data: transfer.abi_encode().into() }
            }
        }
    }
}

/// What is to be done; variables of `use_send_withdrawals`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendWithdrawalsVariables {
    /// What is taken out, in one operation; none at all = all of the ether.
    pub withdrawal_requests: Vec<WithdrawalRequest>,
    /// Who gets what names no recipient; `None`: the account's owner.
    pub default_recipient: Option<Address>,
    /// How the operation is built; the account pays the gas unless these name a paymaster.
    pub options: BuildUserOpOptions,
}

/// Sends all requests in one operation that the owner signs. Each keeps its recipient, whether or not its amount is
/// given (`@biconomy/use-aa` drops them, docs/protocol.md 10-S9); without one, `default_recipient` gets it, and without that the owner.
/// No requests at all: all of the ether.
///
/// All of the ether leaves what the operation may cost when the account pays for it.
///
/// # Errors
/// `InvalidInput` when a recipient is zero, more is asked than there is, or all of something that the gas is paid of is
/// asked for and not enough is there; those of sending.
pub async fn send_withdrawals(
    client: &SmartAccountClient,
    requests: &[WithdrawalRequest],
    default_recipient: Option<Address>,
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_withdrawals(client, requests, default_recipient, options).await?;
    complete_transaction(client, &prepared).await
}

/// The part of [`send_withdrawals`] that comes before the signature.
pub async fn prepare_withdrawals(
    client: &SmartAccountClient,
    requests: &[WithdrawalRequest],
    default_recipient: Option<Address>,
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    let all = [WithdrawalRequest::all(NATIVE_TOKEN)];
    let requests = if requests.is_empty() { &all } else { requests };
    let default_recipient = default_recipient.unwrap_or(client.owner);
    let snapshot = read_owner_snapshot(client, options).await?;
    let withdrawals = amounts(client, requests, default_recipient, options).await?;
    let native = |withdrawal: &&Withdrawal| withdrawal.token.is_none();
    let rests = withdrawals.iter().filter(native).filter(|withdrawal| withdrawal.amount.is_none()).count();
    if rests > 1 {
        return Err(AppError::invalid("withdrawalRequests", "all of the ether at most once", rests));
    }
    let given = withdrawals.iter().filter(native).filter_map(|withdrawal| withdrawal.amount);
    let given = given.fold(U256::ZERO, U256::saturating_add);
    let balance = snapshot.account.balance;
    let Some(left) = balance.checked_sub(given) else {
        return Err(AppError::invalid("amount", format!("at most {balance} wei, which the account has"), given));
    };
    if rests == 1 {
        return prepare_rest(client, &snapshot, |rest| calls(&withdrawals, rest), left, options).await;
    }
    prepare_owner_operation(client, &snapshot, &calls(&withdrawals, U256::ZERO), options).await
}

fn calls(withdrawals: &[Withdrawal], rest: U256) -> Vec<Call> {
    withdrawals.iter().map(|withdrawal| withdrawal.call(rest)).collect()
}

/// Fills in recipients, and the balances of tokens without an amount.
async fn amounts(
    client: &SmartAccountClient,
    requests: &[WithdrawalRequest],
    default_recipient: Address,
    options: &BuildUserOpOptions,
) -> Result<Vec<Withdrawal>, AppError> {
    let fee_token = asked(options)
        .and_then(|data| data.fee_quote.as_ref().map(|quote| quote.token_address).or(data.preferred_token));
    let withdrawals = requests.iter().map(|request| async {
        let recipient = request.recipient.unwrap_or(default_recipient);
        if recipient.is_zero() {
            return Err(AppError::invalid("recipient", "an address that is not zero", recipient));
        }
        if request.address.is_zero() {
            let expected = format!("a token, or {NATIVE_TOKEN} for ether");
            return Err(AppError::invalid("address", expected, request.address));
        }
        let (token, amount) = match (request.is_native(), request.amount) {
            (true, amount) => (None, amount),
            (false, Some(amount)) => (Some(request.address), Some(amount)),
            (false, None) if fee_token == Some(request.address) => {
                let expected = "an amount: the gas is paid in this token, so not all of it can leave";
                return Err(AppError::invalid("amount", expected, "none"));
            }
            (false, None) => {
                let balance = token::balance_of(client.relay.as_ref(), request.address, client.account).await?;
                (Some(request.address), Some(balance))
            }
        };
        Ok(Withdrawal { token, amount, recipient })
    });
    futures::future::try_join_all(withdrawals).await
}

//! What a session may do, in words: the one place where policies become sentences.
//!
//! A policy is first made into the leaf that goes on chain and described from its bytes, so that what a person reads
//! is what is signed. Three degrees of detail share their words: [`PolicyDescription::line`] for lists,
//! [`PolicyDescription::sentence`] with [`PolicyDescription::rules`] for the review, and
//! [`PolicyDescription::signed_lines`] for what a wallet shows.

use alloy::primitives::{Address, U256};

use super::{
    ProtocolError,
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    bounds::bounds,
    known_functions::{ArgumentKind, KnownFunction},
    policy::{Condition, SessionEpoch, SessionPolicy},
    reading::Reading,
    session::SessionLeaf,
    session_data::{AbiSessionData, Erc20SessionData},
};

mod addresses;
mod amount;
mod constraint;
mod function;
mod line;
mod names;
mod own_account;
mod place;
mod review;
mod signed;
#[cfg(test)]
mod tests;
mod utc;

pub use addresses::{call_addresses, call_parties};
pub(crate) use amount::UNLIMITED;
pub use amount::{
    TokenFacts, UnreadableAmount, amount_input, amount_words, exact_amount_words, read_amount, shown_amount,
};
pub use constraint::{Constraint, DescribedValue, argument_name};
pub use function::{DescribedFunction, function_name, policy_name};
pub use names::{Names, shortened};
pub use place::ArgumentPlace;
pub use utc::utc;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One line of a list: long values are shortened, many rules are counted. Nobody decides by it.
    Line,
    /// Where somebody decides, as in the review before a grant: every rule, with names and units, and addresses whole.
    Review,
    /// What a wallet shows and the owner signs: everything, in ASCII, without names or units that only one side knows.
    Signed,
}

/// What one leaf allows, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDescription {
    /// What it allows.
    pub permission: Permission,
    /// When it works.
    pub window: SessionEpoch,
}

/// What one leaf allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Calls of one function.
    Call {
        /// The contract.
        contract: Address,
        /// Its function.
        function: DescribedFunction,
        /// What the arguments must be; all must hold.
        arguments: Vec<Constraint>,
        /// The one address that has the benefit of every call, where the function is known and the rules say so.
        only_receiver: Option<Address>,
        /// Native currency that each call may send, wei.
        native_limit: u128,
    },
    /// Transfers of a token. The module does not look at the function that is called (docs/protocol.md 3.4).
    Transfer {
        /// The token.
        token: Address,
        /// The only recipient.
        recipient: Address,
        /// Most per call, in the token's smallest unit.
        most: U256,
    },
    /// Nobody can say what it allows: the module is not known here, or its data is not what it reads.
    Unreadable {
        /// The module that judges the calls.
        module: Address,
        /// What it judges by.
        data: alloy::primitives::Bytes,
    },
}

impl PolicyDescription {
    /// Reads a leaf; what cannot be read is [`Permission::Unreadable`].
    pub fn of_leaf(leaf: &SessionLeaf) -> Self {
        let data = &leaf.session_key_data;
        let permission = match leaf.session_validation_module {
            ABI_SESSION_VALIDATION_MODULE => AbiSessionData::decode(data).ok().map(Permission::of_call),
            ERC20_SESSION_VALIDATION_MODULE => Erc20SessionData::decode(data).ok().map(Permission::of_transfer),
            _ => None,
        };
        let unreadable =
            || Permission::Unreadable { module: leaf.session_validation_module, data: leaf.session_key_data.clone() };
        Self { permission: permission.unwrap_or_else(unreadable), window: leaf.interval() }
    }

    /// Makes a leaf of the policy and reads that. A function that only the policy names keeps its name, and so do its
    /// arguments.
    ///
    /// # Errors
    /// When the policy cannot become a leaf.
    pub fn of_policy(policy: &SessionPolicy) -> Result<Self, ProtocolError> {
        // Some key or other: that of the grant is not made yet.
        let key = policy.session_key_address().unwrap_or(Address::repeat_byte(1));
        let mut described = Self::of_leaf(&policy.leaf(key, "")?);
        if let (Permission::Call { function, arguments, .. }, SessionPolicy::Abi(policy)) =
            (&mut described.permission, policy)
        {
            function.claim(&policy.function_selector, arguments);
        }
        Ok(described)
    }

    /// The contract that may be called, where that can be read.
    pub fn contract(&self) -> Option<Address> {
        match &self.permission {
            Permission::Call { contract, .. } => Some(*contract),
            Permission::Transfer { token, .. } => Some(*token),
            Permission::Unreadable { .. } => None,
        }
    }

    /// What the arguments must be, in the order of the leaf.
    pub fn constraints(&self) -> Vec<Constraint> {
        match &self.permission {
            Permission::Call { arguments, .. } => arguments.clone(),
            Permission::Transfer { token, recipient, most } => vec![
                Constraint {
                    offset: 0,
                    argument: Some(("recipient", ArgumentKind::Address)),
                    place: ArgumentPlace::Unknown,
                    condition: Ok(Condition::Equal),
                    value: DescribedValue::Address(*recipient),
                },
                Constraint {
                    offset: 32,
                    argument: Some(("amount", ArgumentKind::TokenAmount)),
                    place: ArgumentPlace::Unknown,
                    condition: Ok(Condition::LessThanOrEqual),
                    value: DescribedValue::Amount { amount: *most, token: *token },
                },
            ],
            Permission::Unreadable { .. } => Vec::new(),
        }
    }
}

impl Permission {
    fn of_call(data: AbiSessionData) -> Self {
        let AbiSessionData { contract_address: contract, selector, value_limit: native_limit, rules, .. } = data;
        let function = DescribedFunction::of(selector);
        let argument = |offset: u16| function.known.and_then(|known: &KnownFunction| known.argument_at(offset.into()));
        let bounds = bounds(&rules);
        let reading = function.published.map(|published| (published, Reading::of(published, &bounds)));
        let place = |offset| {
            let found = reading.as_ref().map(|(function, reading)| ArgumentPlace::find(reading, function, offset));
            found.unwrap_or(ArgumentPlace::Unknown)
        };
        let constraint =
            |(offset, code, word)| Constraint::read(offset, code, word, argument(offset), place(offset), contract);
        let arguments = rules.into_iter().map(constraint).collect();
        let only_receiver =
            reading.as_ref().and_then(|(function, reading)| own_account::only_receiver(reading, function));
        Self::Call { contract, function, arguments, only_receiver, native_limit }
    }

    fn of_transfer(data: Erc20SessionData) -> Self {
        Self::Transfer { token: data.token, recipient: data.recipient, most: data.max_amount }
    }
}

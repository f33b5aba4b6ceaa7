//! What the policies are set to (vectors 17).

use alloy::{
    primitives::{Address, Bytes, U256, aliases::U48},
    sol_types::SolValue,
};

use super::{
    addresses::{
        ERC20_SPENDING_LIMIT_POLICY, SUDO_POLICY, TIME_FRAME_POLICY, UNIVERSAL_ACTION_POLICY, USAGE_LIMIT_POLICY,
        VALUE_LIMIT_POLICY,
    },
    session::PolicyData,
    universal::UniversalAction,
};
use crate::{
    ProtocolError,
    abi::{decode, smart_sessions::SpendingLimits},
    policy::SessionEpoch,
};

/// A policy contract that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyContract {
    /// Allows everything.
    Sudo,
    /// From when to when.
    TimeFrame,
    /// How many times.
    UsageLimit,
    /// How much native currency in all.
    ValueLimit,
    /// How much of a token in all.
    SpendingLimit,
    /// Which arguments.
    UniversalAction,
}

impl PolicyContract {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Sudo, Self::TimeFrame, Self::UsageLimit, Self::ValueLimit, Self::SpendingLimit, Self::UniversalAction];

    /// Where it stands.
    pub fn address(self) -> Address {
        match self {
            Self::Sudo => SUDO_POLICY,
            Self::TimeFrame => TIME_FRAME_POLICY,
            Self::UsageLimit => USAGE_LIMIT_POLICY,
            Self::ValueLimit => VALUE_LIMIT_POLICY,
            Self::SpendingLimit => ERC20_SPENDING_LIMIT_POLICY,
            Self::UniversalAction => UNIVERSAL_ACTION_POLICY,
        }
    }

    /// The contract at this address; `None` for one that is not known here.
    pub fn at(address: Address) -> Option<Self> {
        Self::ALL.into_iter().find(|contract| contract.address() == address)
    }

    /// May it judge whole operations? All may judge actions.
    pub fn judges_operations(self) -> bool {
        !matches!(self, Self::SpendingLimit | Self::UniversalAction)
    }

    /// May it judge message signatures?
    pub fn judges_signatures(self) -> bool {
        matches!(self, Self::Sudo | Self::TimeFrame)
    }
}

/// What a policy is set to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyConfig {
    /// Everything passes.
    Sudo,
    /// Passes within the window. Without an end and a begin it can be set, and is never usable.
    TimeFrame(SessionEpoch),
    /// Passes so many times: calls of its action, or operations.
    UsageLimit(u128),
    /// Passes while all calls have sent no more than this, wei.
    ValueLimit(U256),
    /// Passes while each token's transfers and allowances add up to no more than this. The recipient is not looked at.
    SpendingLimit(Vec<(Address, U256)>),
    /// Passes what the rules let through.
    UniversalAction(UniversalAction),
}

impl PolicyConfig {
    /// Which contract.
    pub fn contract(&self) -> PolicyContract {
        match self {
            Self::Sudo => PolicyContract::Sudo,
            Self::TimeFrame(_) => PolicyContract::TimeFrame,
            Self::UsageLimit(_) => PolicyContract::UsageLimit,
            Self::ValueLimit(_) => PolicyContract::ValueLimit,
            Self::SpendingLimit(_) => PolicyContract::SpendingLimit,
            Self::UniversalAction(_) => PolicyContract::UniversalAction,
        }
    }

    /// Refuses what the contract refuses, and what can be set but never used. Times are compared with no clock here.
    ///
    /// # Errors
    /// `PolicyRefused` or `Invalid` with the field.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let zero = |field: &str| Err(ProtocolError::refused(field, "a limit of 0 lets nothing through"));
        match self {
            Self::Sudo => Ok(()),
            Self::TimeFrame(SessionEpoch { valid_until: 0, valid_after: 0 }) => {
                Err(ProtocolError::refused("validUntil", "without begin and end no call ever passes; leave it out"))
            }
            // At second 0 no window is over.
            Self::TimeFrame(window) => window.check(0),
            Self::UsageLimit(0) => zero("usageLimit"),
            Self::UsageLimit(_) => Ok(()),
            Self::ValueLimit(limit) if limit.is_zero() => zero("valueLimit"),
            Self::ValueLimit(_) => Ok(()),
            Self::SpendingLimit(limits) => {
                for (index, (token, limit)) in limits.iter().enumerate() {
                    if token.is_zero() {
                        return Err(ProtocolError::invalid(format!("tokens[{index}]"), "a token", token));
                    }
                    if limit.is_zero() {
                        return zero(&format!("limits[{index}]"));
                    }
                    if limits.iter().take(index).any(|(other, _)| other == token) {
                        let reason = "named twice, so that only the last limit holds";
                        return Err(ProtocolError::refused(format!("tokens[{index}]"), reason));
                    }
                }
                if limits.is_empty() {
                    Err(ProtocolError::invalid("tokens", "at least one token", "none"))
                } else {
                    Ok(())
                }
            }
            Self::UniversalAction(action) => action.check(),
        }
    }

    /// What the contract reads.
    ///
    /// # Errors
    /// `Invalid` for times from 2^48 on and more than 16 rules; [`Self::check`] finds more.
    pub fn init_data(&self) -> Result<Bytes, ProtocolError> {
        Ok(match self {
            Self::Sudo => Bytes::new(),
            Self::TimeFrame(SessionEpoch { valid_until, valid_after }) => {
                let time = |field: &str, time: u64| {
                    let time = crate::session::uint48(field, time)?;
                    Ok::<_, ProtocolError>(U48::saturating_from(time).to_be_bytes::<6>())
                };
                [time("validUntil", *valid_until)?, time("validAfter", *valid_after)?].concat().into()
            }
            Self::UsageLimit(limit) => limit.to_be_bytes().to_vec().into(),
            Self::ValueLimit(limit) => limit.to_be_bytes::<32>().to_vec().into(),
            Self::SpendingLimit(limits) => {
                let (tokens, limits) = limits.iter().copied().unzip();
                SpendingLimits { tokens, limits }.abi_encode_params().into()
            }
            Self::UniversalAction(action) => action.encode()?,
        })
    }

    /// For a session.
    ///
    /// # Errors
    /// As [`Self::check`] and [`Self::init_data`].
    pub fn policy_data(&self) -> Result<PolicyData, ProtocolError> {
        self.check()?;
        Ok(PolicyData { policy: self.contract().address(), init_data: self.init_data()? })
    }

    /// Reads what a policy of a session is set to, as its contract would. More may stand there than it reads: see
    /// [`Self::is_exactly`].
    ///
    /// # Errors
    /// `Invalid` for a contract that is not known here, and for data that the contract refuses to read.
    pub fn read(policy: &PolicyData) -> Result<Self, ProtocolError> {
        let data = &policy.init_data;
        let cut = |expected: &str| ProtocolError::invalid("initData", expected, format!("{} bytes", data.len()));
        let contract = PolicyContract::at(policy.policy)
            .ok_or_else(|| ProtocolError::invalid("policy", "a policy contract that is known here", policy.policy))?;
        Ok(match contract {
            PolicyContract::Sudo => Self::Sudo,
            PolicyContract::TimeFrame => {
                let times = data.first_chunk::<12>().ok_or_else(|| cut("12 bytes: until, after"))?;
                let time = |bytes: &[u8]| bytes.iter().fold(0_u64, |time, byte| (time << 8) | u64::from(*byte));
                let (until, after) = times.split_at(6);
                Self::TimeFrame(SessionEpoch { valid_until: time(until), valid_after: time(after) })
            }
            PolicyContract::UsageLimit => {
                Self::UsageLimit(u128::from_be_bytes(*data.first_chunk().ok_or_else(|| cut("16 bytes"))?))
            }
            PolicyContract::ValueLimit => {
                Self::ValueLimit(U256::from_be_bytes(*data.first_chunk::<32>().ok_or_else(|| cut("32 bytes"))?))
            }
            PolicyContract::SpendingLimit => {
                let read = decode::loose_params::<SpendingLimits>(data).map_err(|_| cut("tokens and their limits"))?;
                if read.tokens.len() != read.limits.len() {
                    return Err(cut("as many limits as tokens"));
                }
                Self::SpendingLimit(read.tokens.into_iter().zip(read.limits).collect())
            }
            PolicyContract::UniversalAction => Self::UniversalAction(UniversalAction::decode(data)?),
        })
    }

    /// Does the policy's data say just this? Data that says more is not what it seems.
    pub fn is_exactly(&self, policy: &PolicyData) -> bool {
        self.contract().address() == policy.policy && self.init_data().is_ok_and(|data| data == policy.init_data)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const TOKEN: Address = Address::repeat_byte(7);

    #[test]
    fn what_is_refused_or_never_usable_names_its_field() {
        let window = |valid_until, valid_after| PolicyConfig::TimeFrame(SessionEpoch { valid_until, valid_after });
        let one = U256::from(1);
        for good in [
            PolicyConfig::Sudo,
            window(0, 5),
            window(5, 5),
            PolicyConfig::UsageLimit(1),
            PolicyConfig::SpendingLimit(vec![(TOKEN, one)]),
        ] {
            let data = good.policy_data().unwrap();
            assert_eq!(PolicyConfig::read(&data).unwrap(), good);
            assert!(good.is_exactly(&data));
        }
        for (bad, field) in [
            (window(0, 0), "validUntil"),
            (window(4, 5), "interval.validAfter"),
            (window(1 << 48, 0), "interval.validUntil"),
            (PolicyConfig::UsageLimit(0), "usageLimit"),
            (PolicyConfig::ValueLimit(U256::ZERO), "valueLimit"),
            (PolicyConfig::SpendingLimit(vec![]), "tokens"),
            (PolicyConfig::SpendingLimit(vec![(Address::ZERO, one)]), "tokens[0]"),
            (PolicyConfig::SpendingLimit(vec![(TOKEN, U256::ZERO)]), "limits[0]"),
            (PolicyConfig::SpendingLimit(vec![(TOKEN, one), (TOKEN, one)]), "tokens[1]"),
            (PolicyConfig::UniversalAction(UniversalAction::default()), "rules"),
        ] {
            let error = bad.policy_data().unwrap_err().to_string();
            assert!(error.contains(&format!("{field}:")), "{error}");
        }
    }

    #[test]
    fn cut_and_padded_data_is_no_exact_one() {
        for contract in PolicyContract::ALL {
            let data = |bytes: &[u8]| PolicyData { policy: contract.address(), init_data: bytes.to_vec().into() };
            let short = PolicyConfig::read(&data(&[1; 11]));
            assert_eq!(short.is_err(), contract != PolicyContract::Sudo, "{contract:?}");
        }
        let padded = PolicyData { policy: USAGE_LIMIT_POLICY, init_data: vec![1; 17].into() };
        assert!(!PolicyConfig::read(&padded).unwrap().is_exactly(&padded));
        let unknown = PolicyData { policy: TOKEN, init_data: Bytes::new() };
        assert!(PolicyConfig::read(&unknown).unwrap_err().to_string().starts_with("policy"));
    }
}

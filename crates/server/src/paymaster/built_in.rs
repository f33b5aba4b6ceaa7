//! The built-in paymaster: signs for a verifying paymaster v1.1.0 whose deposit pays (docs/protocol.md 5.7).

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::SignerSync,
};

use super::{super::secret::SignerKey, upstreams::Upstreams};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    paymaster::VerifyingPaymasterData,
    rpc::{GasEstimate, SponsorContext, Sponsorship},
    signature::DUMMY_ECDSA,
    simulate::Window,
    user_operation::UserOperation,
};

/// Life of a signature when none is asked for, seconds (docs/protocol.md 5.3).
pub(in super::super) const DEFAULT_EXPIRY: u64 = 300;
/// Beginning and end of what only costs gas: in 1970 and in 2106, their bytes set as those of most times are.
pub(super) const STUB_TIMES: [u64; 2] = [0x0101_0101, 0xffff_ffff];
/// Most call data of an operation, bytes.
const MAX_CALL_DATA: usize = 128 * 1024;

/// Signs for one paymaster contract.
pub(crate) struct BuiltIn {
    signer_key: SignerKey,
    address: Address,
    paymaster_id: Address,
    chain_id: u64,
}

impl BuiltIn {
    pub(super) fn new(signer_key: SignerKey, address: Address, paymaster_id: Address, chain_id: u64) -> Self {
        Self { signer_key, address, paymaster_id, chain_id }
    }

    pub(super) async fn sponsor(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Sponsorship, AppError> {
        check(user_operation)?;
        let clocks = upstreams.node.clocks().await?;
        let window = clocks.window(context.expiry_duration.unwrap_or(DEFAULT_EXPIRY));
        let mut operation = user_operation.clone();
        if context.calculate_gas_limits {
            // A signature of the right length and form over provisional limits: it does not fit, but costs the same.
            operation.paymaster_and_data = self.sign(&operation, window)?.encode();
            let estimate = upstreams.estimate(&operation, None).await?;
            set_gas(&mut operation, with_headroom(estimate));
        }
        let gas = gas_of(&operation);
        check_gas(&gas)?;
        let paymaster_and_data = self.sign(&operation, window)?.encode();
        Ok(Sponsorship { paymaster_and_data, gas })
    }

    /// Data as long as the true ones, no byte of them zero that will not be: they cost the same gas, and pay for nothing.
    pub(super) fn stub(&self) -> Bytes {
        let [valid_after, valid_until] = STUB_TIMES;
        let data = VerifyingPaymasterData {
            paymaster: self.address,
            paymaster_id: self.paymaster_id,
            valid_until,
            valid_after,
            signature: DUMMY_ECDSA.to_vec().into(),
        };
        data.encode()
    }

    fn sign(
        &self,
        user_operation: &UserOperation,
        Window { valid_until, valid_after }: Window,
    ) -> Result<VerifyingPaymasterData, AppError> {
        let mut data = VerifyingPaymasterData {
            paymaster: self.address,
            paymaster_id: self.paymaster_id,
            valid_until,
            valid_after,
            signature: Default::default(),
        };
        let hash = data.hash(user_operation, self.chain_id)?;
        let signature = self
            .signer_key
            .signer()
            .sign_message_sync(hash.as_slice())
            .map_err(|_| AppError::Internal { reason: "the paymaster's key cannot sign".into() })?;
        data.signature = signature.as_bytes().to_vec().into();
        Ok(data)
    }
}

/// What this paymaster never pays for. Budgets, targets and caps are a policy's business.
pub(super) fn check(user_operation: &UserOperation) -> Result<(), AppError> {
    if user_operation.call_data.len() > MAX_CALL_DATA {
        return Err(AppError::TooLarge { what: "user_operation.callData".into(), limit: "128 KiB".into() });
    }
    if user_operation.max_priority_fee_per_gas > user_operation.max_fee_per_gas {
        return Err(AppError::invalid(
            "user_operation.maxPriorityFeePerGas",
            format!("at most maxFeePerGas ({})", user_operation.max_fee_per_gas),
            user_operation.max_priority_fee_per_gas,
        ));
    }
    Ok(())
}

/// The limits that are going to be signed.
pub(super) fn check_gas(gas: &GasEstimate) -> Result<(), AppError> {
    for (name, limit) in
        [("verificationGasLimit", gas.verification_gas_limit), ("preVerificationGas", gas.pre_verification_gas)]
    {
        if limit.is_zero() {
            return Err(AppError::invalid(
                format!("user_operation.{name}"),
                "gas units, or context.calculateGasLimits",
                limit,
            ));
        }
    }
    Ok(())
}

/// The estimate was made with a signature that does not fit; the true one takes a slightly different path
/// through the contract, and its bytes cost slightly different gas.
pub(super) fn with_headroom(estimate: GasEstimate) -> GasEstimate {
    let percent = |value: U256, percent: u64| value.saturating_mul(U256::from(percent)) / U256::from(100);
    GasEstimate {
        call_gas_limit: estimate.call_gas_limit,
        verification_gas_limit: percent(estimate.verification_gas_limit, 110).saturating_add(U256::from(10_000)),
        pre_verification_gas: percent(estimate.pre_verification_gas, 103),
    }
}

pub(super) fn gas_of(user_operation: &UserOperation) -> GasEstimate {
    GasEstimate {
        call_gas_limit: user_operation.call_gas_limit,
        verification_gas_limit: user_operation.verification_gas_limit,
        pre_verification_gas: user_operation.pre_verification_gas,
    }
}

/// Puts limits into an operation.
pub(super) fn set_gas(user_operation: &mut UserOperation, gas: GasEstimate) {
    user_operation.call_gas_limit = gas.call_gas_limit;
    user_operation.verification_gas_limit = gas.verification_gas_limit;
    user_operation.pre_verification_gas = gas.pre_verification_gas;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, address, eip191_hash_message};

    use super::*;

    fn operation() -> UserOperation {
        UserOperation {
            sender: address!("0788816536DEFa6A14779711c0B08b7f0edFe68b"),
            call_gas_limit: U256::from(100_000),
            verification_gas_limit: U256::from(100_000),
            pre_verification_gas: U256::from(50_000),
            max_fee_per_gas: U256::from(10),
            max_priority_fee_per_gas: U256::from(1),
            ..Default::default()
        }
    }

    const WINDOW: Window = Window { valid_until: 1_700_000_300, valid_after: 1_699_999_940 };

    fn paymaster() -> BuiltIn {
        let key = SignerKey::from_bytes(&B256::repeat_byte(7)).unwrap();
        BuiltIn::new(key, address!("00000f79B7FaF42EEBAdbA19aCc07cD08Af44789"), Address::repeat_byte(9), 31337)
    }

    #[test]
    fn the_signature_recovers_to_the_signer_and_covers_the_gas() {
        let paymaster = paymaster();
        let data = paymaster.sign(&operation(), WINDOW).unwrap();
        assert_eq!(data.signature.len(), 65);
        let decoded = VerifyingPaymasterData::decode(&data.encode()).unwrap();
        let recover = |operation: &UserOperation| {
            let digest = eip191_hash_message(decoded.hash(operation, 31337).unwrap());
            let signature = alloy::primitives::Signature::from_raw(&decoded.signature).unwrap();
            signature.recover_address_from_prehash(&digest).unwrap()
        };
        assert_eq!(recover(&operation()), paymaster.signer_key.address());
        let other = UserOperation { call_gas_limit: U256::from(100_001), ..operation() };
        assert_ne!(recover(&other), paymaster.signer_key.address());
    }

    #[test]
    fn a_stub_is_as_long_as_a_signature_and_none() {
        let paymaster = paymaster();
        let (stub, signed) = (paymaster.stub(), paymaster.sign(&operation(), WINDOW).unwrap());
        assert_eq!(stub.len(), signed.encode().len());
        let stub = VerifyingPaymasterData::decode(&stub).unwrap();
        let digest = eip191_hash_message(stub.hash(&operation(), 31337).unwrap());
        let signature = alloy::primitives::Signature::from_raw(&stub.signature).unwrap();
        let signer = signature.recover_address_from_prehash(&digest).unwrap();
        assert_ne!(signer, paymaster.signer_key.address());
    }

    #[test]
    fn what_is_never_paid_for() {
        assert_eq!(check(&operation()), Ok(()));
        let tip = UserOperation { max_priority_fee_per_gas: U256::from(11), ..operation() };
        assert!(matches!(check(&tip), Err(AppError::InvalidInput { .. })));
        let long = UserOperation { call_data: vec![0; MAX_CALL_DATA + 1].into(), ..operation() };
        assert!(matches!(check(&long), Err(AppError::TooLarge { .. })));
        let none = UserOperation { verification_gas_limit: U256::ZERO, ..operation() };
        assert!(matches!(check_gas(&gas_of(&none)), Err(AppError::InvalidInput { .. })));
    }

    #[test]
    fn headroom_is_modest() {
        let gas = with_headroom(gas_of(&operation()));
        assert_eq!(gas.verification_gas_limit, U256::from(120_000));
        assert_eq!(gas.call_gas_limit, U256::from(100_000));
        assert_eq!(gas.pre_verification_gas, U256::from(51_500));
    }
}

//! The built-in paymaster: signs for a verifying paymaster v1.1.0 whose deposit pays (docs/protocol.md 5.7), or
//! for one of entry point v0.7 (docs/nexus.md 1.6).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::SignerSync,
};

use super::{super::secret::SignerKey, none_for, upstreams::Upstreams};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
    paymaster::VerifyingPaymasterData,
    rpc::{GasEstimate, PaymasterGas, SponsorContext, Sponsorship},
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

/// Limits of the contract on v0.7, where the operation brings none along: its check of a signature over a long operation;
/// and, as it does nothing after the call, the one unit that some bundlers want for that.
const V07_GAS: [u128; 2] = [100_000, 1];

/// Signs for one paymaster contract of each entry point.
pub(crate) struct BuiltIn {
    signer_key: SignerKey,
    address: Address,
    address_v07: Option<Address>,
    paymaster_id: Address,
    chain_id: u64,
}

impl BuiltIn {
    pub(super) fn new(
        signer_key: SignerKey,
        (address, address_v07): (Address, Option<Address>),
        paymaster_id: Address,
        chain_id: u64,
    ) -> Self {
        Self { signer_key, address, address_v07, paymaster_id, chain_id }
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
            operation.paymaster_and_data = self.signed(&operation, window)?;
            let estimate = upstreams.estimate(&operation, None).await?;
            with_headroom(estimate).set(&mut operation);
            without_work_afterwards(&mut operation);
        }
        operation.paymaster_and_data = self.signed(&operation, window)?;
        let gas = GasEstimate::of(&operation);
        check_gas(&gas)?;
        Ok(Sponsorship { paymaster_and_data: operation.paymaster_and_data, gas })
    }

    /// Data as long as the true ones, no byte of them zero that will not be: they cost the same gas, and pay for nothing.
    pub(super) fn stub(&self, user_operation: &UserOperation) -> Result<Bytes, AppError> {
        let [valid_after, valid_until] = STUB_TIMES;
        self.with_signature(user_operation, Window { valid_until, valid_after }, |_| Ok(DUMMY_ECDSA.to_vec().into()))
    }

    /// `paymasterAndData` for the operation; on v0.7 over the paymaster's limits that it has, or usual ones. Who keeps its
    /// own limits may send no others.
    fn signed(&self, user_operation: &UserOperation, window: Window) -> Result<Bytes, AppError> {
        self.with_signature(user_operation, window, |hash| {
            let signature = self
                .signer_key
                .signer()
                .sign_message_sync(hash.as_slice())
                .map_err(|_| AppError::Internal { reason: "the paymaster's key cannot sign".into() })?;
            Ok(signature.as_bytes().to_vec().into())
        })
    }

    fn with_signature(
        &self,
        user_operation: &UserOperation,
        Window { valid_until, valid_after }: Window,
        sign: impl FnOnce(B256) -> Result<Bytes, AppError>,
    ) -> Result<Bytes, AppError> {
        match user_operation.entry_point {
            EntryPoint::V06 => {
                let (paymaster, paymaster_id) = (self.address, self.paymaster_id);
                let signature = Bytes::new();
                let mut data = VerifyingPaymasterData { paymaster, paymaster_id, valid_until, valid_after, signature };
                data.signature = sign(data.hash(user_operation, self.chain_id)?)?;
                Ok(data.encode())
            }
            EntryPoint::V07 => {
                let paymaster = self.address_v07.ok_or_else(|| none_for(EntryPoint::V07))?;
                let limits = paymaster_limits(user_operation, V07_GAS);
                let paymaster_and_data = v07::paymaster_and_data(paymaster, limits, &[]);
                let operation = UserOperation { paymaster_and_data, ..user_operation.clone() };
                let mut data = v07::VerifyingPaymasterData { valid_until, valid_after, signature: Bytes::new() };
                data.signature = sign(data.hash(&operation, self.chain_id)?)?;
                Ok(v07::paymaster_and_data(paymaster, limits, &data.encode()))
            }
        }
    }
}

/// Nothing is done after the call: more gas for that would be charged for by a tenth, for nothing.
fn without_work_afterwards(operation: &mut UserOperation) {
    let [_, post_op] = V07_GAS;
    if let Some(gas) = operation.paymaster_gas() {
        operation.set_paymaster_gas(PaymasterGas { post_op: U256::from(post_op), ..gas });
    }
}

/// The paymaster's limits that the operation brings along, each a usual one where it has none.
pub(super) fn paymaster_limits(user_operation: &UserOperation, usual: [u128; 2]) -> [u128; 2] {
    let PaymasterGas { verification, post_op } = user_operation.paymaster_gas().unwrap_or_default();
    let [least_verification, least_post_op] = usual;
    let or = |limit: U256, usual: u128| if limit.is_zero() { usual } else { limit.saturating_to() };
    [or(verification, least_verification), or(post_op, least_post_op)]
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
        paymaster: estimate.paymaster.map(|gas| PaymasterGas {
            verification: percent(gas.verification, 110).saturating_add(U256::from(10_000)),
            ..gas
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, eip191_hash_message};

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
        let contracts = (address!("00000f79B7FaF42EEBAdbA19aCc07cD08Af44789"), Some(Address::repeat_byte(8)));
        BuiltIn::new(key, contracts, Address::repeat_byte(9), 31337)
    }

    #[test]
    fn the_signature_recovers_to_the_signer_and_covers_the_gas() {
        let paymaster = paymaster();
        let data = paymaster.signed(&operation(), WINDOW).unwrap();
        let decoded = VerifyingPaymasterData::decode(&data).unwrap();
        assert_eq!(decoded.signature.len(), 65);
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
        let (stub, signed) = (paymaster.stub(&operation()).unwrap(), paymaster.signed(&operation(), WINDOW).unwrap());
        assert_eq!(stub.len(), signed.len());
        let stub = VerifyingPaymasterData::decode(&stub).unwrap();
        let digest = eip191_hash_message(stub.hash(&operation(), 31337).unwrap());
        let signature = alloy::primitives::Signature::from_raw(&stub.signature).unwrap();
        let signer = signature.recover_address_from_prehash(&digest).unwrap();
        assert_ne!(signer, paymaster.signer_key.address());
    }

    #[test]
    fn on_v07_the_signature_covers_the_paymasters_limits_too() {
        let paymaster = paymaster();
        let operation = UserOperation { entry_point: EntryPoint::V07, ..operation() };
        let signed =
            UserOperation { paymaster_and_data: paymaster.signed(&operation, WINDOW).unwrap(), ..operation.clone() };
        assert_eq!(signed.paymaster(), Some(Address::repeat_byte(8)));
        let recover = |operation: &UserOperation| {
            let data = v07::VerifyingPaymasterData::decode(operation.paymaster_data()).unwrap();
            let digest = eip191_hash_message(data.hash(operation, 31337).unwrap());
            let signature = alloy::primitives::Signature::from_raw(&data.signature).unwrap();
            signature.recover_address_from_prehash(&digest).unwrap()
        };
        assert_eq!(recover(&signed), paymaster.signer_key.address());
        let mut dearer = signed.clone();
        dearer.set_paymaster_gas(PaymasterGas { verification: U256::from(100_000), post_op: U256::from(1_000_000) });
        assert_ne!(recover(&dearer), paymaster.signer_key.address());
        let again = UserOperation { paymaster_and_data: paymaster.signed(&dearer, WINDOW).unwrap(), ..dearer.clone() };
        assert_eq!(again.paymaster_gas(), dearer.paymaster_gas(), "who sends own limits sends what was signed");
        assert_eq!(recover(&again), paymaster.signer_key.address());
        without_work_afterwards(&mut dearer);
        let kept = PaymasterGas { verification: U256::from(100_000), post_op: U256::ONE };
        assert_eq!(dearer.paymaster_gas(), Some(kept), "where the limits are found here");
        assert_eq!(paymaster.stub(&operation).unwrap().len(), signed.paymaster_and_data.len());
        let key = SignerKey::from_bytes(&B256::repeat_byte(7)).unwrap();
        let none = BuiltIn::new(key, (Address::repeat_byte(1), None), Address::ZERO, 31337);
        assert!(matches!(none.signed(&operation, WINDOW), Err(AppError::SponsorshipRefused { .. })));
    }

    #[test]
    fn what_is_never_paid_for() {
        assert_eq!(check(&operation()), Ok(()));
        let tip = UserOperation { max_priority_fee_per_gas: U256::from(11), ..operation() };
        assert!(matches!(check(&tip), Err(AppError::InvalidInput { .. })));
        let long = UserOperation { call_data: vec![0; MAX_CALL_DATA + 1].into(), ..operation() };
        assert!(matches!(check(&long), Err(AppError::TooLarge { .. })));
        let none = UserOperation { verification_gas_limit: U256::ZERO, ..operation() };
        assert!(matches!(check_gas(&GasEstimate::of(&none)), Err(AppError::InvalidInput { .. })));
    }

    #[test]
    fn headroom_is_modest() {
        let gas = with_headroom(GasEstimate::of(&operation()));
        assert_eq!(gas.verification_gas_limit, U256::from(120_000));
        assert_eq!(gas.call_gas_limit, U256::from(100_000));
        assert_eq!(gas.pre_verification_gas, U256::from(51_500));
    }
}

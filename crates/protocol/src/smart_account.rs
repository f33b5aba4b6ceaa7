//! The smart account: its address before deployment, init code and call data (docs/protocol.md 2.2–2.5, 2.10).

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolType, SolValue, sol_data},
};
use serde::{Deserialize, Serialize};

use super::{
    ProtocolError,
    abi::{IEcdsaModule, ISessionKeyManager, ISmartAccount, ISmartAccountFactory, decode},
    addresses::{ACCOUNT_FACTORY, ECDSA_MODULE, FALLBACK_HANDLER, PROXY_INIT_CODE_HASH, SESSION_KEY_MANAGER},
    quantity,
};

/// One call that the account makes (`@biconomy/use-aa`'s `Tx`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Destination.
    pub to: Address,
    /// Native value, wei. Hex, decimal text or number when read; 0 when absent.
    #[serde(default, with = "quantity")]
    pub value: U256,
    /// Call data; empty when absent.
    #[serde(default)]
    pub data: Bytes,
}

/// What decides the address of an account beside owner and index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTemplate {
    /// The factory.
    pub factory: Address,
    /// Fallback handler that the factory gives to `init`.
    pub fallback_handler: Address,
    /// `keccak(proxyCreationCode ‖ uint256(implementation))`.
    pub proxy_init_code_hash: B256,
    /// Default validation module (not the active one).
    pub module: Address,
    /// What the module is set up with.
    pub setup_data: Bytes,
}

impl AccountTemplate {
    /// The public factory with the ECDSA module, owned by `owner`.
    pub fn ecdsa(owner: Address) -> Self {
        Self::with_module(ECDSA_MODULE, owner)
    }

    /// The public factory with another module whose set-up is `initForSmartAccount(owner)`,
    /// such as the multichain module.
    pub fn with_module(module: Address, owner: Address) -> Self {
        Self {
            factory: ACCOUNT_FACTORY,
            fallback_handler: FALLBACK_HANDLER,
            proxy_init_code_hash: PROXY_INIT_CODE_HASH,
            module,
            setup_data: IEcdsaModule::initForSmartAccountCall { eoaOwner: owner }.abi_encode().into(),
        }
    }

    /// Call data of the proxy's `init`, whose hash goes into the salt.
    pub fn init_call(&self) -> Vec<u8> {
        ISmartAccount::initCall {
            handler: self.fallback_handler,
            moduleSetupContract: self.module,
            moduleSetupData: self.setup_data.clone(),
        }
        .abi_encode()
    }

    /// CREATE2 salt of the account with this index.
    pub fn salt(&self, index: U256) -> B256 {
        keccak256((keccak256(self.init_call()), index).abi_encode())
    }

    /// Address of the account with this index, deployed or not.
    pub fn address(&self, index: U256) -> Address {
        self.factory.create2(self.salt(index), self.proxy_init_code_hash)
    }

    /// Call data for the factory that deploys the account with this index.
    pub fn factory_data(&self, index: U256) -> Bytes {
        ISmartAccountFactory::deployCounterFactualAccountCall {
            module: self.module,
            setupData: self.setup_data.clone(),
            index,
        }
        .abi_encode()
        .into()
    }

    /// `initCode` of the first user operation.
    pub fn init_code(&self, index: U256) -> Bytes {
        [self.factory.as_slice(), &self.factory_data(index)].concat().into()
    }
}

/// Address of the owner's account with the default ECDSA module.
pub fn counterfactual_address(owner: Address, index: U256) -> Address {
    AccountTemplate::ecdsa(owner).address(index)
}

/// `initCode` that deploys the owner's account with the default ECDSA module.
pub fn init_code(owner: Address, index: U256) -> Bytes {
    AccountTemplate::ecdsa(owner).init_code(index)
}

/// Call data for one or several calls: `execute_ncC` for one, `executeBatch_y6U` for more, or for
/// one when `force_batch` is set (the batched router accepts batches only). No call is an error.
pub fn encode_calls(calls: &[Call], force_batch: bool) -> Result<Bytes, ProtocolError> {
    match calls {
        [] => Err(ProtocolError::invalid("transactions", "at least one transaction", "none")),
        [call] if !force_batch => {
            Ok(ISmartAccount::execute_ncCCall { dest: call.to, value: call.value, func: call.data.clone() }
                .abi_encode()
                .into())
        }
        calls => Ok(ISmartAccount::executeBatch_y6UCall {
            dest: calls.iter().map(|call| call.to).collect(),
            value: calls.iter().map(|call| call.value).collect(),
            func: calls.iter().map(|call| call.data.clone()).collect(),
        }
        .abi_encode()
        .into()),
    }
}

/// Longest call data of an account that is read, bytes.
pub const MAX_CALL_DATA: usize = decode::MAX_BYTES;
/// Most calls in a batch that is read. A block has room for fewer that do anything.
pub const MAX_CALLS: usize = 1_000;

/// Parameters of `execute` and `execute_ncC`.
type Single = (sol_data::Address, sol_data::Uint<256>, sol_data::Bytes);
/// Parameters of `executeBatch` and `executeBatch_y6U`.
type Batch =
    (sol_data::Array<sol_data::Address>, sol_data::Array<sol_data::Uint<256>>, sol_data::Array<sol_data::Bytes>);

/// The calls inside the account's call data; knows `execute`, `executeBatch` and their short twins. Anything but the
/// canonical encoding is an error, though the account would take it: nobody writes another one by honest means.
pub fn decode_calls(call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
    let invalid = |expected: &str, got: String| Err(ProtocolError::invalid("callData", expected, got));
    let unreadable = || invalid("canonical arguments of execute or executeBatch", excerpt(call_data));
    if call_data.len() > MAX_CALL_DATA {
        return invalid("at most 128 KiB", format!("{} bytes", call_data.len()));
    }
    let call = |to, value, data| Call {
        to: sol_data::Address::detokenize(to),
        value: sol_data::Uint::<256>::detokenize(value),
        data: sol_data::Bytes::detokenize(data),
    };
    match call_data.split_first_chunk() {
        Some((&(ISmartAccount::execute_ncCCall::SELECTOR | ISmartAccount::executeCall::SELECTOR), arguments)) => {
            let Ok((to, value, data)) = decode::tokens::<Single>(arguments) else { return unreadable() };
            Ok(vec![call(to, value, data)])
        }
        Some((
            &(ISmartAccount::executeBatch_y6UCall::SELECTOR | ISmartAccount::executeBatchCall::SELECTOR),
            arguments,
        )) => {
            let Ok((to, value, data)) = decode::tokens::<Batch>(arguments) else { return unreadable() };
            let (to, value, data) = (to.0, value.0, data.0);
            if to.len() != value.len() || to.len() != data.len() {
                let got = format!("{}, {} and {}", to.len(), value.len(), data.len());
                return invalid("as many destinations as values and data", got);
            }
            if to.len() > MAX_CALLS {
                return invalid("at most 1,000 calls in a batch", to.len().to_string());
            }
            Ok(to.into_iter().zip(value).zip(data).map(|((to, value), data)| call(to, value, data)).collect())
        }
        _ => invalid("a call of execute or executeBatch", excerpt(call_data)),
    }
}

/// First bytes as hex, for messages.
fn excerpt(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes.get(..40).unwrap_or(bytes)))
}

/// The account enables a module on itself. Reverts on chain when it is enabled already.
pub fn enable_module(account: Address, module: Address) -> Call {
    Call::to_self(account, ISmartAccount::enableModuleCall { module }.abi_encode())
}

/// The account sets a module up and enables it.
pub fn setup_and_enable_module(account: Address, setup_contract: Address, setup_data: Bytes) -> Call {
    let call = ISmartAccount::setupAndEnableModuleCall { setupContract: setup_contract, setupData: setup_data };
    Call::to_self(account, call.abi_encode())
}

/// The account disables a module; `previous` comes before it in the linked list of modules.
pub fn disable_module(account: Address, previous: Address, module: Address) -> Call {
    Call::to_self(account, ISmartAccount::disableModuleCall { prevModule: previous, module }.abi_encode())
}

/// The account stores a Merkle root of sessions; the zero root takes all of them back.
pub fn set_merkle_root(root: B256) -> Call {
    set_merkle_root_at(SESSION_KEY_MANAGER, root)
}

/// As [`set_merkle_root`], at this session key manager.
pub fn set_merkle_root_at(manager: Address, root: B256) -> Call {
    let data = ISessionKeyManager::setMerkleRootCall { merkleRoot: root }.abi_encode().into();
    Call { to: manager, value: U256::ZERO, data }
}

impl Call {
    /// A call of a function declared with `sol!`, without native value: `Call::to(nft, &safeMintCall { to })`.
    pub fn to(contract: Address, function: &impl SolCall) -> Self {
        Self { to: contract, value: U256::ZERO, data: function.abi_encode().into() }
    }

    /// Sends native currency along, wei.
    #[must_use]
    pub fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    fn to_self(account: Address, data: Vec<u8>) -> Self {
        Self { to: account, value: U256::ZERO, data: data.into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::address;

    use super::*;

    /// The account would take these, too; what is signed, paid for or judged here must be unmistakable.
    #[test]
    fn only_the_canonical_encoding_is_read() {
        let calls = [Call { data: vec![7; 40].into(), ..Call::default() }, Call::default()];
        let batch = encode_calls(&calls, true).unwrap().to_vec();
        assert_eq!(decode_calls(&batch).unwrap(), calls);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = batch.clone();
            change(&mut changed);
            decode_calls(&changed).unwrap_err().to_string()
        };
        let data = 4 + 3 * 32 + 2 * 96; // where the third array begins
        assert_eq!(batch[data + 31], 2, "two pieces of data");
        for (name, error) in [
            ("both calls with one data", changed(&|bytes| bytes[data + 95] = bytes[data + 63])),
            ("values are the destinations", changed(&|bytes| bytes[4 + 63] = bytes[4 + 31])),
            ("padding", changed(&|bytes| bytes[data + 96 + 32 + 41] = 1)),
            ("a destination of 21 bytes", changed(&|bytes| bytes[4 + 96 + 32 + 11] = 1)),
            ("something follows", changed(&|bytes| bytes.push(0))),
            ("cut", changed(&|bytes| bytes.truncate(bytes.len() - 32))),
        ] {
            assert!(error.starts_with("callData: expected canonical arguments"), "{name}: {error}");
        }
        assert!(decode_calls(&vec![0; MAX_CALL_DATA + 1]).unwrap_err().to_string().contains("128 KiB"));
        let calls = |count| encode_calls(&vec![Call::default(); count], true).unwrap();
        assert_eq!(decode_calls(&calls(800)).unwrap().len(), 800);
    }

    /// A pair quoted in `@biconomy/account`'s tests (vectors/05).
    #[test]
    fn the_counterfactual_address_is_the_factorys() {
        let owner = address!("FA66E705cf2582cF56528386Bb9dFCA119767262");
        let account = address!("e6dBb5C8696d2E0f90B875cbb6ef26E3bBa575AC");
        assert_eq!(counterfactual_address(owner, U256::ZERO), account);
        assert_eq!(init_code(owner, U256::ZERO).len(), 216);
    }

    #[test]
    fn calls_are_read_with_value_and_data_left_out() {
        let call: Call = serde_json::from_str(r#"{"to":"0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e"}"#).unwrap();
        assert_eq!((call.value, call.data.len()), (U256::ZERO, 0));
        for value in ["\"0x10\"", "\"16\"", "16"] {
            let text = format!(r#"{{"to":"0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e","value":{value}}}"#);
            assert_eq!(serde_json::from_str::<Call>(&text).unwrap().value, U256::from(16));
        }
    }

    /// The account's own decoder reverts on an address word whose upper bytes are not zero.
    #[test]
    fn dirty_address_words_are_refused() {
        let call = Call { to: Address::repeat_byte(1), ..Call::default() };
        let mut call_data = encode_calls(&[call], false).unwrap().to_vec();
        assert!(decode_calls(&call_data).is_ok());
        call_data[4] = 1;
        assert!(decode_calls(&call_data).is_err());
    }

    #[test]
    fn unreadable_call_data_names_the_field() {
        for bad in [&[][..], &[0, 0, 0x18, 0x9a], &[1, 2, 3, 4]] {
            assert!(decode_calls(bad).unwrap_err().to_string().starts_with("callData"));
        }
    }
}

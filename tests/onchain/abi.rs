//! The contracts' interfaces as the tests call them, and user operations out of the vector files.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol,
};
use serde_json::Value;

sol! {
    #[derive(Debug)]
    struct UserOperation {
        address sender;
        uint256 nonce;
        bytes initCode;
        bytes callData;
        uint256 callGasLimit;
        uint256 verificationGasLimit;
        uint256 preVerificationGas;
        uint256 maxFeePerGas;
        uint256 maxPriorityFeePerGas;
        bytes paymasterAndData;
        bytes signature;
    }

    // EntryPoint
    function handleOps(UserOperation[] ops, address beneficiary) external;
    function getUserOpHash(UserOperation userOp) external view returns (bytes32);
    function getDepositInfo(address account) external view
        returns (uint112 deposit, bool staked, uint112 stake, uint32 unstakeDelaySec, uint48 withdrawTime);
    event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster,
        uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed);

    // factory
    function deployCounterFactualAccount(address module, bytes setupData, uint256 index) external returns (address);
    function getAddressForCounterFactualAccount(address module, bytes setupData, uint256 index) external view
        returns (address);
    function accountCreationCode() external view returns (bytes);
    function minimalHandler() external view returns (address);

    // account
    function init(address handler, address setupContract, bytes setupData) external returns (address);
    function execute_ncC(address to, uint256 value, bytes data) external;
    function execute(address to, uint256 value, bytes data) external;
    function executeBatch_y6U(address[] to, uint256[] value, bytes[] data) external;
    function executeBatch(address[] to, uint256[] value, bytes[] data) external;
    function enableModule(address module) external;
    function setupAndEnableModule(address setupContract, bytes setupData) external returns (address);
    function disableModule(address previous, address module) external;
    function isModuleEnabled(address module) external view returns (bool);
    function getModulesPaginated(address start, uint256 size) external view returns (address[] modules, address next);
    function validateUserOp(UserOperation userOp, bytes32 userOpHash, uint256 missingAccountFunds) external
        returns (uint256 validationData);
    function isValidSignature(bytes32 dataHash, bytes signature) external view returns (bytes4);

    // modules
    function initForSmartAccount(address owner) external returns (address);
    function transferOwnership(address owner) external;
    function renounceOwnership() external;
    function getOwner(address smartAccount) external view returns (address);
    function setMerkleRoot(bytes32 root) external;
    function getSessionKeys(address account) external view returns (bytes32 merkleRoot);

    // paymasters
    function validatePaymasterUserOp(UserOperation userOp, bytes32 userOpHash, uint256 maxCost) external
        returns (bytes context, uint256 validationData);
    function getBalance(address paymasterId) external view returns (uint256);
    event TokenPaymasterOperation(address indexed sender, address indexed token, uint256 indexed totalCharge,
        address oracleAggregator, uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate, uint8 priceSource);
    event TokenPaymentDue(address indexed token, address indexed account, uint256 indexed charge);

    // demo contracts
    function safeMint(address to) external returns (uint256);
    function mint(address to, uint256 value) external;
    function balanceOf(address owner) external view returns (uint256);
}

/// A vector file, parsed.
pub fn vectors(name: &str) -> Value {
    let path = super::chain::root().join("tests/vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// The list `key` of a vector file's object.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let found = value[key].as_array().unwrap_or_else(|| panic!("no list {key}"));
    assert!(!found.is_empty(), "{key} is empty");
    found
}

/// Any value that is written as text.
pub fn parse<T: std::str::FromStr>(value: &Value) -> T {
    let text = value.as_str().unwrap_or_else(|| panic!("expected text, got {value}"));
    text.parse().unwrap_or_else(|_| panic!("cannot read {text}"))
}

/// A user operation of a vector file; `signature` when it is kept apart.
pub fn user_operation(value: &Value, signature: Option<Bytes>) -> UserOperation {
    let number = |field: &str| parse::<U256>(&value[field]);
    UserOperation {
        sender: parse(&value["sender"]),
        nonce: number("nonce"),
        initCode: parse(&value["initCode"]),
        callData: parse(&value["callData"]),
        callGasLimit: number("callGasLimit"),
        verificationGasLimit: number("verificationGasLimit"),
        preVerificationGas: number("preVerificationGas"),
        maxFeePerGas: number("maxFeePerGas"),
        maxPriorityFeePerGas: number("maxPriorityFeePerGas"),
        paymasterAndData: parse(&value["paymasterAndData"]),
        signature: signature.unwrap_or_else(|| parse(&value["signature"])),
    }
}

/// What a module or a paymaster answered, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub aggregator: Address,
    pub valid_until: u64,
    pub valid_after: u64,
}

impl From<U256> for Verdict {
    fn from(packed: U256) -> Self {
        let window = |shift: usize| (packed >> shift).to::<U256>().as_limbs()[0] & 0xffff_ffff_ffff;
        Self {
            aggregator: Address::from_word(B256::from(packed & (U256::MAX >> 96))),
            valid_until: window(160),
            valid_after: window(208),
        }
    }
}

impl Verdict {
    /// Accepted (0) or signature failed (1), within a window.
    pub fn new(aggregator: u64, valid_until: u64, valid_after: u64) -> Self {
        let aggregator = Address::from_word(B256::from(U256::from(aggregator)));
        Self { aggregator, valid_until, valid_after }
    }

    /// As the vector files write it.
    pub fn from_vector(value: &Value) -> Self {
        let seconds = |field: &str| value[field].as_u64().unwrap_or_else(|| panic!("{field} in {value}"));
        Self::new(parse::<U256>(&value["agg"]).to(), seconds("validUntil"), seconds("validAfter"))
    }
}

/// The crate's user operation as the contracts take it.
pub fn from_protocol(operation: &use_aa::protocol::user_operation::UserOperation) -> UserOperation {
    UserOperation {
        sender: operation.sender,
        nonce: operation.nonce,
        initCode: operation.init_code.clone(),
        callData: operation.call_data.clone(),
        callGasLimit: operation.call_gas_limit,
        verificationGasLimit: operation.verification_gas_limit,
        preVerificationGas: operation.pre_verification_gas,
        maxFeePerGas: operation.max_fee_per_gas,
        maxPriorityFeePerGas: operation.max_priority_fee_per_gas,
        paymasterAndData: operation.paymaster_and_data.clone(),
        signature: operation.signature.clone(),
    }
}

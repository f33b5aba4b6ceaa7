//! The interfaces, and vectors' JSON as their types.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol,
};
use serde_json::Value;

use super::super::abi::parse;

sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct PackedUserOperation {
        address sender;
        uint256 nonce;
        bytes initCode;
        bytes callData;
        bytes32 accountGasLimits;
        uint256 preVerificationGas;
        bytes32 gasFees;
        bytes paymasterAndData;
        bytes signature;
    }

    // EntryPoint
    function getUserOpHash(PackedUserOperation userOp) external view returns (bytes32);
    function handleOps(PackedUserOperation[] ops, address beneficiary) external;
    function getNonce(address sender, uint192 key) external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster,
        uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed);
    error FailedOp(uint256 opIndex, string reason);
    error FailedOpWithRevert(uint256 opIndex, string reason, bytes inner);

    // Nexus and its factories
    struct ModuleConfig { address module; bytes data; }
    struct Execution { address target; uint256 value; bytes data; }
    function computeAccountAddress(bytes initData, bytes32 salt) external view returns (address);
    function createAccount(bytes initData, bytes32 salt) external payable returns (address);
    function initNexusScoped(ModuleConfig[] validators, ModuleConfig hook, address registry, address[] attesters,
        uint8 threshold) external;
    function initializeAccount(bytes initData) external payable;
    function installModule(uint256 moduleType, address module, bytes initData) external payable;
    function isModuleInstalled(uint256 moduleType, address module, bytes context) external view returns (bool);
    function getValidatorsPaginated(address cursor, uint256 size) external view returns (address[], address);
    function accountId() external view returns (string);
    function execute(bytes32 mode, bytes executionCalldata) external payable;
    function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);

    #[derive(Debug)]
    interface K1Factory {
        function createAccount(address owner, uint256 index, address[] attesters, uint8 threshold) external
            returns (address);
        function computeAccountAddress(address owner, uint256 index, address[] attesters, uint8 threshold) external view
            returns (address);
    }

    // validators
    function onInstall(bytes data) external;
    function getOwner(address account) external view returns (address);
    function transferOwnership(address newOwner) external;
    function isModuleType(uint256 moduleType) external view returns (bool);
    function validateUserOp(PackedUserOperation userOp, bytes32 userOpHash) external returns (uint256);
    function isValidSignatureWithSender(address sender, bytes32 hash, bytes signature) external view returns (bytes4);
    function validateSignatureWithData(bytes32 hash, bytes signature, bytes data) external view returns (bool);

    // Smart Sessions
    #[derive(Debug)]
    struct PolicyData { address policy; bytes initData; }
    #[derive(Debug)]
    struct ActionData { bytes4 actionTargetSelector; address actionTarget; PolicyData[] actionPolicies; }
    #[derive(Debug)]
    struct ERC7739Context { bytes32 appDomainSeparator; string[] contentNames; }
    #[derive(Debug, Default)]
    struct ERC7739Data { ERC7739Context[] allowedERC7739Content; PolicyData[] erc1271Policies; }
    #[derive(Debug)]
    struct Session {
        address sessionValidator;
        bytes sessionValidatorInitData;
        bytes32 salt;
        PolicyData[] userOpPolicies;
        ERC7739Data erc7739Policies;
        ActionData[] actions;
        bool permitERC4337Paymaster;
    }
    struct ChainDigest { uint64 chainId; bytes32 sessionDigest; }
    struct EnableSession {
        uint8 chainDigestIndex;
        ChainDigest[] hashesAndChainIds;
        Session sessionToEnable;
        bytes permissionEnableSig;
    }
    function enableSessions(Session[] sessions) external returns (bytes32[]);
    function removeSession(bytes32 permissionId) external;
    function revokeEnableSignature(bytes32 permissionId) external;
    function disableActionPolicies(bytes32 permissionId, bytes32 actionId, address[] policies) external;
    function getPermissionId(Session session) external pure returns (bytes32);
    function getSessionDigest(bytes32 permissionId, address account, Session session, uint8 mode) external view
        returns (bytes32);
    function getPermissionIDs(address account) external view returns (bytes32[]);
    function isPermissionEnabled(bytes32 permissionId, address account) external view returns (bool);
    function getEnabledActions(address account, bytes32 permissionId) external view returns (bytes32[]);
    function supportsInterface(bytes4 interfaceId) external view returns (bool);

    // paymasters
    #[derive(Debug)]
    struct TokenTerms {
        uint48 validUntil;
        uint48 validAfter;
        address feeToken;
        uint256 exchangeRate;
        uint32 priceMarkup;
    }
    #[derive(Debug)]
    interface Verifying {
        function getHash(PackedUserOperation userOp, uint48 validUntil, uint48 validAfter) external view
            returns (bytes32);
    }
    #[derive(Debug)]
    interface InTokens {
        function getHash(PackedUserOperation userOp, TokenTerms terms) external view returns (bytes32);
    }
    #[derive(Debug)]
    function validatePaymasterUserOp(PackedUserOperation userOp, bytes32 userOpHash, uint256 maxCost) external
        returns (bytes context, uint256 validationData);
    event TokenPaymasterOperation(address indexed sender, address indexed token, uint256 indexed totalCharge,
        uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate);
    event TokenRefundOwed(address indexed token, address indexed account, uint256 indexed amount);
    event PostOpRevertReason(bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason);
}

/// An operation of a vector file, packed by hand; gas fields from `gas` when they are kept apart.
pub fn packed(value: &Value, gas: &Value) -> PackedUserOperation {
    let number = |field: &str| {
        let found = [&value[field], &gas[field]].into_iter().find(|found| found.is_string());
        found.map_or(U256::ZERO, parse::<U256>)
    };
    let bytes = |field: &str| value[field].as_str().map_or_else(Bytes::new, |_| parse::<Bytes>(&value[field]));
    let pair = |first: &str, second: &str| [half(number(first)), half(number(second))].concat();
    let factory = [bytes("factory"), bytes("factoryData")].concat();
    let paymaster = match value["paymaster"].as_str() {
        Some(_) => [
            bytes("paymaster").to_vec(),
            pair("paymasterVerificationGasLimit", "paymasterPostOpGasLimit"),
            bytes("paymasterData").to_vec(),
        ]
        .concat(),
        None => Vec::new(),
    };
    PackedUserOperation {
        sender: parse(&value["sender"]),
        nonce: number("nonce"),
        initCode: factory.into(),
        callData: bytes("callData"),
        accountGasLimits: pair("verificationGasLimit", "callGasLimit").as_slice().try_into().expect("32 bytes"),
        preVerificationGas: number("preVerificationGas"),
        gasFees: pair("maxPriorityFeePerGas", "maxFeePerGas").as_slice().try_into().expect("32 bytes"),
        paymasterAndData: paymaster.into(),
        signature: bytes("signature"),
    }
}

/// The lower 16 bytes, which must hold all of it.
pub fn half(number: U256) -> Vec<u8> {
    u128::try_from(number).expect("128 bits").to_be_bytes().to_vec()
}

pub fn session(value: &Value) -> Session {
    let items = |value: &Value| value.as_array().expect("a list").clone();
    let policies = |value: &Value| {
        let policy = |item: &Value| PolicyData { policy: parse(&item["policy"]), initData: parse(&item["initData"]) };
        items(value).iter().map(policy).collect::<Vec<_>>()
    };
    let content = |item: &Value| ERC7739Context {
        appDomainSeparator: parse(&item["appDomainSeparator"]),
        contentNames: items(&item["contentNames"]).iter().map(parse).collect(),
    };
    let action = |item: &Value| ActionData {
        actionTargetSelector: parse(&item["actionTargetSelector"]),
        actionTarget: parse(&item["actionTarget"]),
        actionPolicies: policies(&item["actionPolicies"]),
    };
    Session {
        sessionValidator: parse(&value["sessionValidator"]),
        sessionValidatorInitData: parse(&value["sessionValidatorInitData"]),
        salt: parse(&value["salt"]),
        userOpPolicies: policies(&value["userOpPolicies"]),
        erc7739Policies: ERC7739Data {
            allowedERC7739Content: items(&value["erc7739Policies"]["allowedERC7739Content"])
                .iter()
                .map(content)
                .collect(),
            erc1271Policies: policies(&value["erc7739Policies"]["erc1271Policies"]),
        },
        actions: items(&value["actions"]).iter().map(action).collect(),
        permitERC4337Paymaster: value["permitERC4337Paymaster"].as_bool().expect("a flag"),
    }
}

/// `mode` of a single call that reverts when the call does.
pub fn execute_single(target: Address, value: U256, data: &[u8]) -> Bytes {
    use alloy::sol_types::SolCall;
    let packed = [target.as_slice(), &value.to_be_bytes::<32>(), data].concat();
    executeCall { mode: Default::default(), executionCalldata: packed.into() }.abi_encode().into()
}

//! Solidity interfaces that the protocol speaks (docs/protocol.md 2.1). Selectors follow from the signatures.
#![allow(missing_docs)]

pub mod decode;
pub mod nexus;
pub mod smart_sessions;

pub use crate::entry_point::v06::IEntryPoint;

alloy::sol! {
    /// Biconomy Smart Account V2.
    #[derive(Debug, PartialEq, Eq)]
    interface ISmartAccount {
        function execute_ncC(address dest, uint256 value, bytes func);
        function executeBatch_y6U(address[] dest, uint256[] value, bytes[] func);
        function execute(address dest, uint256 value, bytes func);
        function executeBatch(address[] dest, uint256[] value, bytes[] func);
        function enableModule(address module);
        function setupAndEnableModule(address setupContract, bytes setupData);
        function disableModule(address prevModule, address module);
        function isModuleEnabled(address module) returns (bool);
        function getModulesPaginated(address start, uint256 pageSize) returns (address[] array, address next);
        function init(address handler, address moduleSetupContract, bytes moduleSetupData);
        function isValidSignature(bytes32 dataHash, bytes moduleSignature) returns (bytes4);

        error WrongValidationModule(address module);
        error ModuleAlreadyEnabled(address module);
        error ModuleNotEnabled(address module);
        error ModuleCannotBeZeroOrSentinel(address module);
        error ModuleAndPrevModuleMismatch(address expectedModule, address returnedModule, address prevModule);
        error WrongBatchProvided(uint256 dests, uint256 values, uint256 funcs, uint256 operations);
        error CallerIsNotEntryPoint(address caller);
        error CallerIsNotEntryPointOrSelf(address caller);
        error CallerIsNotAnEntryPoint(address caller);
        error AlreadyInitialized();
        error DelegateCallsOnly();
        error ModulesSetupExecutionFailed();
    }

    /// Factory of Smart Accounts V2.
    #[derive(Debug, PartialEq, Eq)]
    interface ISmartAccountFactory {
        function deployCounterFactualAccount(address module, bytes setupData, uint256 index) returns (address);
        function getAddressForCounterFactualAccount(address module, bytes setupData, uint256 index) returns (address);
    }

    /// ECDSA ownership module (and the multichain module, whose set-up is the same).
    #[derive(Debug, PartialEq, Eq)]
    interface IEcdsaModule {
        function initForSmartAccount(address eoaOwner) returns (address);
        function transferOwnership(address owner);
        function renounceOwnership();
        function getOwner(address smartAccount) returns (address);

        error NoOwnerRegisteredForSmartAccount(address smartAccount);
        error AlreadyInitedForSmartAccount(address smartAccount);
        error WrongSignatureLength();
        error NotEOA(address account);
        error ZeroAddressNotAllowedAsOwner();
    }

    /// Verifying paymaster, what it refuses with.
    #[derive(Debug, PartialEq, Eq)]
    interface IVerifyingPaymaster {
        error InsufficientBalance(uint256 amountRequired, uint256 currentBalance);
        error InvalidPaymasterSignatureLength(uint256 sigLength);
    }

    /// Gas price oracle of OP-stack chains: what the chain below takes for data, in wei.
    #[derive(Debug, PartialEq, Eq)]
    interface IGasPriceOracle {
        function getL1Fee(bytes data) external view returns (uint256 fee);
    }

    /// Arbitrum's node: the same in gas units.
    #[derive(Debug, PartialEq, Eq)]
    interface INodeInterface {
        function gasEstimateL1Component(address to, bool contractCreation, bytes data)
            external payable returns (uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate);
    }

    /// Session key manager.
    #[derive(Debug, PartialEq, Eq)]
    interface ISessionKeyManager {
        function setMerkleRoot(bytes32 merkleRoot);
        function getSessionKeys(address smartAccount) returns (bytes32 merkleRoot);
    }

    /// The lab's demo NFT and token: why they refuse (`contracts/src/demo`).
    #[derive(Debug, PartialEq, Eq)]
    interface IDemo {
        error ZeroAddress();
        error TokenDoesNotExist(uint256 tokenId);
        error NotOwner(address account, uint256 tokenId);
        error NotAllowed(address caller, uint256 tokenId);
        error ReceiverRefused(address receiver);
        error InsufficientBalance(address owner, uint256 balance, uint256 needed);
        error InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
    }

    /// ERC-20, the parts that are called.
    #[derive(Debug, PartialEq, Eq)]
    interface IErc20 {
        function transfer(address to, uint256 amount) returns (bool);
        function approve(address spender, uint256 amount) returns (bool);
        function balanceOf(address account) returns (uint256);
        function allowance(address owner, address spender) returns (uint256);
    }

    /// Module signature of the session key manager (docs/protocol.md 3.5).
    #[derive(Debug, PartialEq, Eq)]
    struct SessionKeyManagerSignature {
        uint48 validUntil;
        uint48 validAfter;
        address sessionValidationModule;
        bytes sessionKeyData;
        bytes32[] merkleProof;
        bytes sessionKeySignature;
    }

    /// One session of a batch (docs/protocol.md 3.6).
    #[derive(Debug, PartialEq, Eq)]
    struct RouterSession {
        uint48 validUntil;
        uint48 validAfter;
        address sessionValidationModule;
        bytes sessionKeyData;
        bytes32[] merkleProof;
        bytes callSpecificData;
    }

    /// Module signature of the batched session router (docs/protocol.md 3.6).
    #[derive(Debug, PartialEq, Eq)]
    struct BatchedRouterSignature {
        address sessionKeyManager;
        RouterSession[] sessionData;
        bytes sessionKeySignature;
    }

    /// Wrapper around a module signature (docs/protocol.md 2.6).
    #[derive(Debug, PartialEq, Eq)]
    struct WrappedSignature {
        bytes moduleSignature;
        address validationModule;
    }

    /// Module signature of the multichain module (docs/protocol.md 8).
    #[derive(Debug, PartialEq, Eq)]
    struct MultichainSignature {
        uint48 validUntil;
        uint48 validAfter;
        bytes32 merkleRoot;
        bytes32[] merkleProof;
        bytes moduleSignature;
    }

    /// Data of an ERC-20 session (docs/protocol.md 3.4).
    #[derive(Debug, PartialEq, Eq)]
    struct Erc20SessionParams {
        address sessionKey;
        address token;
        address recipient;
        uint256 maxAmount;
    }

    /// Tail of a verifying paymaster's `paymasterAndData` (docs/protocol.md 5.7).
    #[derive(Debug, PartialEq, Eq)]
    struct VerifyingPaymasterTail {
        address paymasterId;
        uint48 validUntil;
        uint48 validAfter;
        bytes signature;
    }

    /// Middle part of a token paymaster's `paymasterAndData` (docs/protocol.md 5.7).
    #[derive(Debug, PartialEq, Eq)]
    struct TokenPaymasterTail {
        uint48 validUntil;
        uint48 validAfter;
        address feeToken;
        address oracleAggregator;
        uint256 exchangeRate;
        uint32 priceMarkup;
    }

    /// ERC-6492 wrapper of a signature of an account that has no code yet (docs/protocol.md 2.14).
    #[derive(Debug, PartialEq, Eq)]
    struct CounterfactualSignature {
        address factory;
        bytes factoryCallData;
        bytes signature;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{
        primitives::hex,
        sol_types::{SolCall, SolError, SolEvent},
    };

    /// docs/protocol.md 2.1, which quotes the contracts.
    #[test]
    fn selectors_are_those_of_the_contracts() {
        assert_eq!(ISmartAccount::execute_ncCCall::SELECTOR, hex!("0000189a"));
        assert_eq!(ISmartAccount::executeBatch_y6UCall::SELECTOR, hex!("00004680"));
        assert_eq!(ISmartAccount::executeCall::SELECTOR, hex!("b61d27f6"));
        assert_eq!(ISmartAccount::executeBatchCall::SELECTOR, hex!("47e1da2a"));
        assert_eq!(ISmartAccount::enableModuleCall::SELECTOR, hex!("610b5925"));
        assert_eq!(ISmartAccount::setupAndEnableModuleCall::SELECTOR, hex!("5305dd27"));
        assert_eq!(ISmartAccount::disableModuleCall::SELECTOR, hex!("e009cfde"));
        assert_eq!(ISmartAccount::isModuleEnabledCall::SELECTOR, hex!("2d9ad53d"));
        assert_eq!(ISmartAccount::getModulesPaginatedCall::SELECTOR, hex!("cc2f8452"));
        assert_eq!(ISmartAccount::initCall::SELECTOR, hex!("378dfd8e"));
        assert_eq!(ISmartAccount::isValidSignatureCall::SELECTOR, hex!("1626ba7e"));
        assert_eq!(ISmartAccountFactory::deployCounterFactualAccountCall::SELECTOR, hex!("df20ffbc"));
        assert_eq!(ISmartAccountFactory::getAddressForCounterFactualAccountCall::SELECTOR, hex!("2e7a1a83"));
        assert_eq!(IEcdsaModule::initForSmartAccountCall::SELECTOR, hex!("2ede3bc0"));
        assert_eq!(IEcdsaModule::transferOwnershipCall::SELECTOR, hex!("f2fde38b"));
        assert_eq!(IEcdsaModule::renounceOwnershipCall::SELECTOR, hex!("715018a6"));
        assert_eq!(IEcdsaModule::getOwnerCall::SELECTOR, hex!("fa544161"));
        assert_eq!(ISessionKeyManager::setMerkleRootCall::SELECTOR, hex!("7cb64759"));
        assert_eq!(ISessionKeyManager::getSessionKeysCall::SELECTOR, hex!("fde5354d"));
        assert_eq!(IEntryPoint::getNonceCall::SELECTOR, hex!("35567e1a"));
        assert_eq!(IEntryPoint::simulateHandleOpCall::SELECTOR, hex!("d6383f94"));
        assert_eq!(IErc20::transferCall::SELECTOR, hex!("a9059cbb"));
        assert_eq!(IErc20::approveCall::SELECTOR, hex!("095ea7b3"));
    }

    #[test]
    fn errors_and_events_are_those_of_the_contracts() {
        assert_eq!(ISmartAccount::WrongValidationModule::SELECTOR, hex!("9b30feac"));
        assert_eq!(ISmartAccount::ModuleAlreadyEnabled::SELECTOR, hex!("b29d4595"));
        assert_eq!(ISmartAccount::ModuleNotEnabled::SELECTOR, hex!("21ac7c5f"));
        assert_eq!(ISmartAccount::ModuleCannotBeZeroOrSentinel::SELECTOR, hex!("cadb248f"));
        assert_eq!(ISmartAccount::ModuleAndPrevModuleMismatch::SELECTOR, hex!("c40d496c"));
        assert_eq!(ISmartAccount::WrongBatchProvided::SELECTOR, hex!("470c3557"));
        assert_eq!(ISmartAccount::CallerIsNotEntryPoint::SELECTOR, hex!("e6fce6a5"));
        assert_eq!(ISmartAccount::CallerIsNotEntryPointOrSelf::SELECTOR, hex!("47762421"));
        assert_eq!(ISmartAccount::CallerIsNotAnEntryPoint::SELECTOR, hex!("bb587b6e"));
        assert_eq!(ISmartAccount::AlreadyInitialized::SELECTOR, hex!("0dc149f0"));
        assert_eq!(IEcdsaModule::NoOwnerRegisteredForSmartAccount::SELECTOR, hex!("f4fffd4c"));
        assert_eq!(IEcdsaModule::AlreadyInitedForSmartAccount::SELECTOR, hex!("b137edf4"));
        assert_eq!(IEcdsaModule::WrongSignatureLength::SELECTOR, hex!("5763538a"));
        assert_eq!(IEntryPoint::ExecutionResult::SELECTOR, hex!("8b7ac980"));
        assert_eq!(
            IEntryPoint::UserOperationEvent::SIGNATURE_HASH,
            hex!("49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f")
        );
    }
}

//! Biconomy Nexus, an ERC-7579 account: account, factory and bootstraps of the releases, as vectors 16 have them.

alloy::sol! {
    /// One call of a batch (ERC-7579).
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Execution {
        address target;
        uint256 value;
        bytes callData;
    }

    /// A module and what it is installed with.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct BootstrapConfig {
        address module;
        bytes data;
    }

    /// A hook before validation, from release 1.2 on.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct BootstrapPreValidationHookConfig {
        uint256 hookType;
        address module;
        bytes data;
    }

    /// The account.
    #[derive(Debug, PartialEq, Eq)]
    interface INexus {
        function execute(bytes32 mode, bytes executionCalldata) payable;
        function executeUserOp(bytes userOp, bytes32 userOpHash) payable;
        function initializeAccount(bytes initData) payable;
        function installModule(uint256 moduleTypeId, address module, bytes initData) payable;
        function uninstallModule(uint256 moduleTypeId, address module, bytes deInitData) payable;
        function isModuleInstalled(uint256 moduleTypeId, address module, bytes additionalContext) returns (bool);
        function getValidatorsPaginated(address cursor, uint256 size) returns (address[] array, address next);
        function isValidSignature(bytes32 hash, bytes signature) returns (bytes4);
        function accountId() returns (string);

        error ValidatorNotInstalled(address module);
        error ModuleNotInstalled(uint256 moduleTypeId, address module);
        error ModuleAlreadyInstalled(uint256 moduleTypeId, address module);
        error DefaultValidatorAlreadyInstalled();
        error UnsupportedCallType(bytes1 callType);
        error UnsupportedExecType(bytes1 execType);
        error ExecutionFailed();
        error AccountAccessUnauthorized();
        error NexusInitializationFailed();
        error NoValidatorInstalled();
        error CanNotRemoveLastValidator();
        error InvalidModule(address module);
        error NexusAlreadyInitialized();
        error InvalidInitialization();
        error InvalidModuleTypeId(uint256 moduleTypeId);
        error MismatchModuleTypeId();
        error LinkedList_AlreadyInitialized();
        error LinkedList_InvalidPage();
        error LinkedList_InvalidEntry(address entry);
        error LinkedList_EntryAlreadyInList(address entry);
        error InvalidInitData();
        error InvalidNonce();
        error InvalidImplementationAddress();
        error InnerCallFailed();

        event ModuleInstalled(uint256 moduleTypeId, address module);
        event ModuleUninstalled(uint256 moduleTypeId, address module);
        event TryExecuteUnsuccessful(bytes callData, bytes result);
        event TryDelegateCallUnsuccessful(bytes callData, bytes result);
    }

    /// What 1.0.x says instead of [`INexus`]'s error of the same name.
    #[derive(Debug, PartialEq, Eq)]
    interface INexusMismatchWithType {
        error MismatchModuleTypeId(uint256 moduleTypeId);
    }

    /// The factory of account proxies.
    #[derive(Debug, PartialEq, Eq)]
    interface INexusFactory {
        function createAccount(bytes initData, bytes32 salt) payable returns (address account);
        function computeAccountAddress(bytes initData, bytes32 salt) returns (address expectedAddress);

        event AccountCreated(address indexed account, bytes indexed initData, bytes32 indexed salt);
    }

    /// The factory that permissionless.js asks: owner and index instead of init data.
    #[derive(Debug, PartialEq, Eq)]
    interface IK1ValidatorFactory {
        function createAccount(address eoaOwner, uint256 index, address[] attesters, uint8 threshold)
            payable returns (address account);
        function computeAccountAddress(address eoaOwner, uint256 index, address[] attesters, uint8 threshold)
            returns (address expectedAddress);
    }

    /// What sets an account of release 1.0.x, or of the published package, up.
    #[derive(Debug, PartialEq, Eq)]
    interface INexusBootstrap {
        function initNexusWithSingleValidator(
            address validator, bytes data, address registry, address[] attesters, uint8 threshold
        );
        function initNexus(
            BootstrapConfig[] validators, BootstrapConfig[] executors, BootstrapConfig hook,
            BootstrapConfig[] fallbacks, address registry, address[] attesters, uint8 threshold
        );
        function initNexusScoped(
            BootstrapConfig[] validators, BootstrapConfig hook, address registry, address[] attesters, uint8 threshold
        );
    }

    /// What sets an account of release 1.2 and later up.
    #[derive(Debug, PartialEq, Eq)]
    interface INexusBootstrapNoRegistry {
        function initNexusWithDefaultValidator(bytes data) payable;
        function initNexusWithSingleValidatorNoRegistry(address validator, bytes data) payable;
        function initNexusNoRegistry(
            BootstrapConfig[] validators, BootstrapConfig[] executors, BootstrapConfig hook,
            BootstrapConfig[] fallbacks, BootstrapPreValidationHookConfig[] preValidationHooks
        ) payable;
        function initNexusWithDefaultValidatorAndOtherModulesNoRegistry(
            bytes defaultValidatorInitData, BootstrapConfig[] validators, BootstrapConfig[] executors,
            BootstrapConfig hook, BootstrapConfig[] fallbacks, BootstrapPreValidationHookConfig[] preValidationHooks
        ) payable;
    }

    /// Where a factory is to run, and what with (`initData`).
    #[derive(Debug, PartialEq, Eq)]
    struct NexusInitData {
        address bootstrap;
        bytes bootstrapCall;
    }

    /// `deInitData` of a validator that leaves the account's list.
    #[derive(Debug, PartialEq, Eq)]
    struct ValidatorRemoval {
        address previous;
        bytes data;
    }
}

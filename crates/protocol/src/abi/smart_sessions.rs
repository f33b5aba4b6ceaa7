//! The Smart Sessions module and its policies, as vectors 17 and 18 have them.

pub mod typed;

alloy::sol! {
    /// A policy contract and what it is set to.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct PolicyData {
        address policy;
        bytes initData;
    }

    /// One function of one contract, and the policies that judge its calls.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ActionData {
        bytes4 actionTargetSelector;
        address actionTarget;
        PolicyData[] actionPolicies;
    }

    /// What a session may sign for an app.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ERC7739Context {
        bytes32 appDomainSeparator;
        string[] contentNames;
    }

    /// What a session may sign.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ERC7739Data {
        ERC7739Context[] allowedERC7739Content;
        PolicyData[] erc1271Policies;
    }

    /// A session.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Session {
        address sessionValidator;
        bytes sessionValidatorInitData;
        bytes32 salt;
        PolicyData[] userOpPolicies;
        ERC7739Data erc7739Policies;
        ActionData[] actions;
        bool permitERC4337Paymaster;
    }

    /// The digest of a session for one chain.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ChainDigest {
        uint64 chainId;
        bytes32 sessionDigest;
    }

    /// A session and the owner's consent to it.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct EnableSession {
        uint8 chainDigestIndex;
        ChainDigest[] hashesAndChainIds;
        Session sessionToEnable;
        bytes permissionEnableSig;
    }

    /// What stands compressed in a signature of mode ENABLE.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct EnableSignature {
        EnableSession enableSession;
        bytes sessionSignature;
    }

    /// `initData` of the module with sessions in it, behind the mode byte.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct InstalledSessions {
        Session[] sessions;
    }

    /// The module.
    #[derive(Debug, PartialEq, Eq)]
    interface ISmartSession {
        function enableSessions(Session[] sessions) returns (bytes32[] permissionIds);
        function enableActionPolicies(bytes32 permissionId, ActionData[] actionPolicies);
        function enableUserOpPolicies(bytes32 permissionId, PolicyData[] userOpPolicies);
        function enableERC1271Policies(bytes32 permissionId, ERC7739Data erc1271Policies);
        function disableActionPolicies(bytes32 permissionId, bytes32 actionId, address[] policies);
        function disableActionId(bytes32 permissionId, bytes32 actionId);
        function disableUserOpPolicies(bytes32 permissionId, address[] policies);
        function disableERC1271Policies(bytes32 permissionId, address[] policies, ERC7739Context[] contents);
        function removeSession(bytes32 permissionId);
        function revokeEnableSignature(bytes32 permissionId);
        function setPermit4337Paymaster(bytes32 permissionId, bool enabled);

        function getPermissionId(Session session) returns (bytes32);
        function getSessionDigest(bytes32 permissionId, address account, Session data, uint8 mode) returns (bytes32);
        function getPermissionIDs(address account) returns (bytes32[]);
        function isPermissionEnabled(bytes32 permissionId, address account) returns (bool);
        function isISessionValidatorSet(bytes32 permissionId, address account) returns (bool);
        function getNonce(bytes32 permissionId, address account) returns (uint256);
        function getEnabledActions(address account, bytes32 permissionId) returns (bytes32[]);
        function getEnabledERC7739Content(address account, bytes32 permissionId) returns (ERC7739Context[]);
        function getActionPolicies(address account, bytes32 permissionId, bytes32 actionId) returns (address[]);
        function getUserOpPolicies(address account, bytes32 permissionId) returns (address[]);
        function getERC1271Policies(address account, bytes32 permissionId) returns (address[]);
        function getSessionValidatorAndConfig(address account, bytes32 permissionId)
            returns (address sessionValidator, bytes sessionValidatorData);
        function isActionIdEnabled(address account, bytes32 permissionId, bytes32 actionId) returns (bool);
        function isActionPolicyEnabled(address account, bytes32 permissionId, bytes32 actionId, address policy)
            returns (bool);
        function isUserOpPolicyEnabled(address account, bytes32 permissionId, address policy) returns (bool);
        function isERC1271PolicyEnabled(address account, bytes32 permissionId, address policy) returns (bool);
        function isERC7739ContentEnabled(
            address account, bytes32 permissionId, bytes32 appDomainSeparator, string content
        ) returns (bool);
        function areActionsEnabled(address account, bytes32 permissionId, ActionData[] actions) returns (bool);
        function areUserOpPoliciesEnabled(address account, bytes32 permissionId, PolicyData[] userOpPolicies)
            returns (bool);
        function areERC1271PoliciesEnabled(address account, bytes32 permissionId, PolicyData[] policies)
            returns (bool);
        function isInitialized(address account) returns (bool);
        function isModuleType(uint256 moduleTypeId) returns (bool);
        function isValidSignatureWithSender(address sender, bytes32 hash, bytes signature) returns (bytes4);
        function onInstall(bytes data);
        function onUninstall(bytes data);

        error InvalidUserOpSender(address sender);
        error InvalidPermissionId(bytes32 permissionId);
        error InvalidSession(bytes32 permissionId);
        error NoPoliciesSet(bytes32 permissionId);
        error PolicyViolation(bytes32 permissionId, address policy);
        error PolicyCheckReverted(bytes32 reason);
        error PaymasterValidationNotEnabled(bytes32 permissionId);
        error UnsupportedExecutionType();
        error UnsupportedCallType(bytes1 callType);
        error NoExecutionsInBatch();
        error InvalidSelfCall();
        error InvalidTarget();
        error InvalidCallTarget();
        error InvalidActionId();
        error InvalidData();
        error InvalidMode();
        error InvalidISessionValidator(address sessionValidator);
        error UnsupportedPolicy(address policy);
        error InvalidEnableSignature(address account, bytes32 hash);
        error InvalidSessionKeySignature(
            bytes32 permissionId, address sessionValidator, address account, bytes32 userOpHash
        );
        error HashMismatch(bytes32 providedHash, bytes32 computedHash);
        error HashIndexOutOfBounds(uint256 index);
        error ChainIdMismatch(uint64 providedChainId);
        error SmartSessionModuleAlreadyInstalled(address account);
        error DecodingError();
        error UnsupportedSmartSessionMode(uint8 mode);
        error SignerNotFound(bytes32 permissionId, address account);
        error ForbiddenValidationData();
        error AssociatedArray_OutOfBounds(uint256 index);
        error PartlyEnabledActions();
        error PartlyEnabledPolicies();

        event SessionCreated(bytes32 permissionId, address account);
        event SessionRemoved(bytes32 permissionId, address smartAccount);
        event SessionValidatorEnabled(bytes32 permissionId, address sessionValidator, address smartAccount);
        event SessionValidatorDisabled(bytes32 permissionId, address sessionValidator, address smartAccount);
        event PermissionIdPermit4337Paymaster(bytes32 permissionId, address smartAccount, bool enabled);
        event NonceIterated(bytes32 permissionId, address account, uint256 newValue);
        event PolicyEnabled(bytes32 permissionId, uint8 policyType, address policy, address smartAccount);
        event PolicyDisabled(bytes32 permissionId, uint8 policyType, address policy, address smartAccount);
        event ActionIdDisabled(bytes32 permissionId, bytes32 actionId, address smartAccount);
    }

    /// What a session validator answers to.
    #[derive(Debug, PartialEq, Eq)]
    interface ISessionValidator {
        function validateSignatureWithData(bytes32 hash, bytes signature, bytes data) returns (bool validSig);
    }

    /// `initData` of the public session validator for several owners.
    #[derive(Debug, PartialEq, Eq)]
    struct OwnableValidatorData {
        uint256 threshold;
        address[] owners;
    }

    /// What a limit of the universal policy counts.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct LimitUsage {
        uint256 limit;
        uint256 used;
    }

    /// A rule of the universal policy. The condition is a Solidity enum of seven, read as its number.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ParamRule {
        uint8 condition;
        uint64 offset;
        bool isLimited;
        bytes32 refValue;
        LimitUsage usage;
    }

    /// All rules of the universal policy: the first `length` count.
    #[derive(Debug, PartialEq, Eq)]
    struct ParamRules {
        uint256 length;
        ParamRule[16] rules;
    }

    /// `initData` of the universal policy.
    #[derive(Debug, PartialEq, Eq)]
    struct ActionConfig {
        uint256 valueLimitPerUse;
        ParamRules paramRules;
    }

    /// `initData` of the spending limit policy.
    #[derive(Debug, PartialEq, Eq)]
    struct SpendingLimits {
        address[] tokens;
        uint256[] limits;
    }

    /// What policies answer, and what they refuse with.
    #[derive(Debug, PartialEq, Eq)]
    interface ISessionPolicy {
        function initializeWithMultiplexer(address account, bytes32 configId, bytes initData);
        function checkAction(bytes32 id, address account, address target, uint256 value, bytes data)
            returns (uint256);
        function check1271SignedAction(bytes32 id, address sender, address account, bytes32 hash, bytes signature)
            returns (bool);
        function supportsInterface(bytes4 interfaceID) returns (bool);

        function getUsed(bytes32 id, address multiplexer, address account) returns (uint256);
        function getUsageLimit(bytes32 id, address multiplexer, address account) returns (uint128);
        function getValueLimit(bytes32 id, address multiplexer, address account) returns (uint256);
        function getTimeFrameConfig(bytes32 id, address multiplexer, address account) returns (uint96);
        function getPolicyData(bytes32 id, address multiplexer, address token, address account)
            returns (uint256 limit, uint256 spent, uint256 approved);
        function actionConfigs(bytes32 id, address multiplexer, address account) returns (ActionConfig config);

        error PolicyNotInitialized(bytes32 id, address multiplexer, address account);
        error ValueLimitExceeded(bytes32 id, uint256 value, uint256 limit);
        error InvalidLimit(uint256 limit);
        error InvalidTokenAddress(address token);
        error InvalidInitDataLength();
    }
}

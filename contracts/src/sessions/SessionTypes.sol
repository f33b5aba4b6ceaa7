// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A policy contract and what it is set up with.
struct PolicyData {
    address policy;
    bytes initData;
}

/// @notice A function of a contract that the session may call, within all of these policies.
struct ActionData {
    bytes4 actionTargetSelector;
    address actionTarget;
    PolicyData[] actionPolicies;
}

struct ERC7739Context {
    bytes32 appDomainSeparator;
    string[] contentNames;
}

/// @notice What the session may sign as messages.
struct ERC7739Data {
    ERC7739Context[] allowedERC7739Content;
    PolicyData[] erc1271Policies;
}

struct Session {
    address sessionValidator;
    bytes sessionValidatorInitData;
    bytes32 salt;
    PolicyData[] userOpPolicies;
    ERC7739Data erc7739Policies;
    ActionData[] actions;
    bool permitERC4337Paymaster;
}

/// @notice One chain's part of a grant.
struct ChainDigest {
    uint64 chainId;
    bytes32 sessionDigest;
}

/// @notice A session together with the account's signature that grants it.
struct EnableSession {
    uint8 chainDigestIndex;
    ChainDigest[] hashesAndChainIds;
    Session sessionToEnable;
    bytes permissionEnableSig;
}

/// @notice First byte of an operation's signature.
enum Mode {
    USE,
    ENABLE,
    UNSAFE_ENABLE
}

/// @notice Where a policy is asked.
enum PolicyType {
    NONE,
    USER_OP,
    ACTION,
    ERC1271
}

/// @notice Ids by which sessions, actions and their states are kept apart.
library SessionIds {
    /// @dev Not a contract to call: it marks the fallback actions.
    address internal constant FALLBACK_TARGET = address(1);
    bytes4 internal constant GENERIC_FALLBACK = 0x00000001;
    bytes4 internal constant ADMINISTRATION_FALLBACK = 0x00000002;
    /// @dev Stands for the selector of calls that have none.
    bytes4 internal constant NO_SELECTOR = 0xffffffff;

    function permission(Session memory session) internal pure returns (bytes32) {
        return keccak256(abi.encode(session.sessionValidator, session.sessionValidatorInitData, session.salt));
    }

    function action(address target, bytes4 selector) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(target, selector));
    }

    function genericFallback() internal pure returns (bytes32) {
        return action(FALLBACK_TARGET, GENERIC_FALLBACK);
    }

    function administrationFallback() internal pure returns (bytes32) {
        return action(FALLBACK_TARGET, ADMINISTRATION_FALLBACK);
    }

    function actionConfig(address account, bytes32 permissionId, bytes32 actionId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(account, keccak256(abi.encodePacked(permissionId, actionId))));
    }

    function userOpConfig(address account, bytes32 permissionId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(account, permissionId));
    }

    function erc1271Config(address account, bytes32 permissionId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(account, keccak256(abi.encodePacked("ERC1271: ", permissionId))));
    }
}

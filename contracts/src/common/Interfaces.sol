// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UserOperation} from "./UserOperation.sol";

/// @notice The part of EntryPoint v0.6 that these contracts call.
interface IEntryPoint {
    function getNonce(address sender, uint192 key) external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function depositTo(address account) external payable;
    function withdrawTo(address payable to, uint256 amount) external;
    function addStake(uint32 unstakeDelaySeconds) external payable;
    function unlockStake() external;
    function withdrawStake(address payable to) external;
}

/// @notice A validation module: the account asks it whether a user operation or a message is signed.
interface IValidationModule {
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external returns (uint256);
    function isValidSignature(bytes32 dataHash, bytes calldata moduleSignature) external view returns (bytes4);
}

/// @notice What modules ask of the account.
interface IModularAccount {
    function isModuleEnabled(address module) external view returns (bool);
}

/// @notice A session key manager as the batched router sees it.
interface ISessionKeyManager {
    function validateSessionKey(
        address account,
        uint48 validUntil,
        uint48 validAfter,
        address sessionValidationModule,
        bytes calldata sessionKeyData,
        bytes32[] calldata proof
    ) external view;
}

/// @notice Judges a call against the data of a session leaf.
interface ISessionValidationModule {
    /// @notice Single path: reads the call out of `execute`; true when the session key signed `userOpHash`.
    function validateSessionUserOp(
        UserOperation calldata userOp,
        bytes32 userOpHash,
        bytes calldata sessionKeyData,
        bytes calldata sessionSignature
    ) external view returns (bool);

    /// @notice Batch path: judges one call, returns the key that must have signed the batch.
    function validateSessionParams(
        address to,
        uint256 value,
        bytes calldata data,
        bytes calldata sessionKeyData,
        bytes calldata callSpecificData
    ) external view returns (address sessionKey);
}

/// @notice Selectors of the account's executors that the session modules accept.
library ExecuteSelectors {
    bytes4 internal constant EXECUTE_NCC = 0x0000189a;
    bytes4 internal constant EXECUTE = 0xb61d27f6;
    bytes4 internal constant EXECUTE_BATCH_Y6U = 0x00004680;
    bytes4 internal constant EXECUTE_BATCH = 0x47e1da2a;

    function isSingle(bytes4 selector) internal pure returns (bool) {
        return selector == EXECUTE_NCC || selector == EXECUTE;
    }

    function isBatch(bytes4 selector) internal pure returns (bool) {
        return selector == EXECUTE_BATCH_Y6U || selector == EXECUTE_BATCH;
    }
}

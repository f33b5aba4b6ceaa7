// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../common/PackedUserOperation.sol";

// One function each, so that an interface's id is its function's selector.

/// @notice Sets the policy up for a configuration of the calling session module; a refusal reverts.
interface IPolicy {
    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external;
}

/// @notice Judges one inner call: validation data, 1 = refused.
interface IActionPolicy {
    function checkAction(bytes32 id, address account, address target, uint256 value, bytes calldata data)
        external
        returns (uint256);
}

/// @notice Judges a whole operation: validation data, 1 = refused.
interface IUserOpPolicy {
    function checkUserOpPolicy(bytes32 id, PackedUserOperation calldata userOp) external returns (uint256);
}

/// @notice Judges a message.
interface I1271Policy {
    function check1271SignedAction(bytes32 id, address sender, address account, bytes32 hash, bytes calldata signature)
        external
        view
        returns (bool);
}

interface IERC165 {
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}

/// @notice Checks the signature of a session's key.
interface ISessionValidator {
    function isModuleType(uint256 moduleType) external view returns (bool);
    function validateSignatureWithData(bytes32 hash, bytes calldata signature, bytes calldata data)
        external
        view
        returns (bool);
}

interface IERC1271 {
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice ERC-4337 user operation, EntryPoint v0.6.
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

/// @notice What paymasters sign of an operation.
library PaymasterFields {
    /// @notice The nine words: all fields but paymasterAndData and signature, the dynamic ones by their hash.
    function pack(UserOperation calldata userOp) internal pure returns (bytes memory) {
        return abi.encode(
            userOp.sender,
            userOp.nonce,
            keccak256(userOp.initCode),
            keccak256(userOp.callData),
            userOp.callGasLimit,
            userOp.verificationGasLimit,
            userOp.preVerificationGas,
            userOp.maxFeePerGas,
            userOp.maxPriorityFeePerGas
        );
    }
}

/// @notice What an account or a paymaster answers to the EntryPoint: verdict and time window in one word.
/// @dev Bits 0-159 verdict (0 accepted, 1 signature failed), 160-207 validUntil, 208-255 validAfter; unix seconds.
library ValidationData {
    uint256 internal constant ACCEPTED = 0;
    uint256 internal constant SIGNATURE_FAILED = 1;

    /// @notice Packs a verdict with its window.
    function pack(bool accepted, uint48 validUntil, uint48 validAfter) internal pure returns (uint256) {
        uint256 verdict = accepted ? ACCEPTED : SIGNATURE_FAILED;
        return verdict | (uint256(validUntil) << 160) | (uint256(validAfter) << 208);
    }
}

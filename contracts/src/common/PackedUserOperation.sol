// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice ERC-4337 user operation as contracts of EntryPoint v0.7 see it.
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

/// @notice What paymasters of v0.7 sign of an operation.
/// @dev paymasterAndData: paymaster(20) | verification gas limit(16) | post-op gas limit(16) | paymasterData.
library PackedPaymasterFields {
    uint256 internal constant GAS_LIMITS_OFFSET = 20;
    uint256 internal constant DATA_OFFSET = 52;

    /// @notice The eight words: the paymaster's gas limits are in, its data and the account's signature are not.
    function pack(PackedUserOperation calldata userOp) internal pure returns (bytes memory) {
        return abi.encode(
            userOp.sender,
            userOp.nonce,
            keccak256(userOp.initCode),
            keccak256(userOp.callData),
            userOp.accountGasLimits,
            bytes32(userOp.paymasterAndData[GAS_LIMITS_OFFSET:DATA_OFFSET]),
            userOp.preVerificationGas,
            userOp.gasFees
        );
    }

    /// @notice What `postOp` may use, gas units.
    function postOpGasLimit(PackedUserOperation calldata userOp) internal pure returns (uint256) {
        return uint128(bytes16(userOp.paymasterAndData[36:DATA_OFFSET]));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Secp256k1} from "../common/Secp256k1.sol";
import {ModuleTypes} from "./ModuleTypes.sol";

/// @notice Session validator: one key, whose address is the 20 bytes of the session's validator data.
contract SimpleSigner {
    function isModuleType(uint256 moduleType) external pure returns (bool) {
        return moduleType == ModuleTypes.STATELESS_VALIDATOR;
    }

    /// @notice Whether `signature` is the key's `personal_sign(hash)`, 65 bytes in canonical form. Whatever else comes is
    /// answered with false: a revert would spoil the estimation of gas, which has only a stub to show.
    function validateSignatureWithData(bytes32 hash, bytes calldata signature, bytes calldata data)
        external
        pure
        returns (bool)
    {
        if (data.length != 20) return false;
        address key = address(bytes20(data));
        return key != address(0) && Secp256k1.tryRecover(Secp256k1.personalDigest(hash), signature) == key;
    }
}

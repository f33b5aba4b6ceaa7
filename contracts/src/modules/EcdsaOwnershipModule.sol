// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UserOperation, ValidationData} from "../common/UserOperation.sol";
import {OwnerRegistry} from "./OwnerRegistry.sol";

/// @notice Validates what the account's owner key signed.
contract EcdsaOwnershipModule is OwnerRegistry {
    string public constant NAME = "ECDSA Ownership Registry Module";
    string public constant VERSION = "1.0.0";

    /// @notice Accepts the owner's `personal_sign(userOpHash)`, or its signature over the bare hash.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        (bytes memory signature,) = abi.decode(userOp.signature, (bytes, address));
        return _signedByOwner(userOpHash, signature, userOp.sender)
            ? ValidationData.ACCEPTED
            : ValidationData.SIGNATURE_FAILED;
    }
}

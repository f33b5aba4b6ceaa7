// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SortedMerkle} from "../common/SortedMerkle.sol";
import {UserOperation, ValidationData} from "../common/UserOperation.sol";
import {OwnerRegistry} from "./OwnerRegistry.sol";

/// @notice One owner signature for operations on several chains: the owner signs the root of a tree over them.
contract MultichainModule is OwnerRegistry {
    string public constant NAME = "Multichain ECDSA Validator";
    string public constant VERSION = "1.0.0";

    /// @notice A 65-byte module signature is a plain owner signature; anything longer carries window, root and proof.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        (bytes memory moduleSignature,) = abi.decode(userOp.signature, (bytes, address));
        if (moduleSignature.length == 65) {
            return _signedByOwner(userOpHash, moduleSignature, userOp.sender)
                ? ValidationData.ACCEPTED
                : ValidationData.SIGNATURE_FAILED;
        }
        (uint48 validUntil, uint48 validAfter, bytes32 root, bytes32[] memory proof, bytes memory signature) =
            abi.decode(moduleSignature, (uint48, uint48, bytes32, bytes32[], bytes));
        bytes32 leaf = keccak256(abi.encodePacked(validUntil, validAfter, userOpHash));
        require(SortedMerkle.verify(proof, root, leaf), "Invalid UserOp");
        return ValidationData.pack(
            _signedByOwner(root, signature, userOp.sender),
            validUntil == 0 ? type(uint48).max : validUntil,
            validAfter
        );
    }
}

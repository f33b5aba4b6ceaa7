// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UserOperation} from "../common/UserOperation.sol";
import {SessionRoots} from "./SessionRoots.sol";

/// @notice Source 1.1.0 of the session key manager, which some chains may have at the default address. The lab does not
/// place it; the vectors are held against it, too.
contract SessionKeyManagerV1_1_0 is SessionRoots {
    string public constant NAME = "Session Key Manager";
    string public constant VERSION = "1.1.0";

    /// @dev Where the module signature begins in `abi(bytes moduleSignature, address module)`.
    uint256 private constant MODULE_SIGNATURE_OFFSET = 96;

    event MerkleRootUpdated(address smartAccount, bytes32 merkleRoot);

    /// @inheritdoc SessionRoots
    function setMerkleRoot(bytes32 root) external override {
        _setRoot(root);
        emit MerkleRootUpdated(msg.sender, root);
    }

    /// @notice Reads the module signature at its fixed place.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        return _judge(userOp, userOpHash, userOp.signature[MODULE_SIGNATURE_OFFSET:]);
    }
}

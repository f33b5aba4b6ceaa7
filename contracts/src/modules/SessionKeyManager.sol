// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UserOperation} from "../common/UserOperation.sol";
import {SessionRoots} from "./SessionRoots.sol";

/// @notice The session key manager of the lab's default address: source 1.0.0, which says neither its name nor its
/// version, and tells nobody that a root changed.
contract SessionKeyManager is SessionRoots {
    /// @notice Takes the wrapper `abi(bytes moduleSignature, address module)` apart wherever its parts are.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        (bytes memory moduleSignature,) = abi.decode(userOp.signature, (bytes, address));
        return _judge(userOp, userOpHash, moduleSignature);
    }
}

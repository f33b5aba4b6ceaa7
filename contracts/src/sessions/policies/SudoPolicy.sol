// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../../common/PackedUserOperation.sol";
import {I1271Policy, IActionPolicy, IUserOpPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice Agrees to everything.
contract SudoPolicy is Policy, IActionPolicy, IUserOpPolicy, I1271Policy {
    function initializeWithMultiplexer(address, bytes32, bytes calldata) external {}

    function checkAction(bytes32, address, address, uint256, bytes calldata) external pure returns (uint256) {
        return ACCEPTED;
    }

    function checkUserOpPolicy(bytes32, PackedUserOperation calldata) external pure returns (uint256) {
        return ACCEPTED;
    }

    function check1271SignedAction(bytes32, address, address, bytes32, bytes calldata) external pure returns (bool) {
        return true;
    }

    function _judgesUserOps() internal pure override returns (bool) {
        return true;
    }

    function _judgesMessages() internal pure override returns (bool) {
        return true;
    }
}

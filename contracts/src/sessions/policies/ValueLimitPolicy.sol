// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../../common/PackedUserOperation.sol";
import {Execution, Executions} from "../Executions.sol";
import {IActionPolicy, IUserOpPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice How much of the native token in all; init data: limit(32), wei.
contract ValueLimitPolicy is Policy, IActionPolicy, IUserOpPolicy {
    struct Spending {
        uint256 limit;
        uint256 used;
    }

    mapping(bytes32 id => mapping(address multiplexer => mapping(address account => Spending))) private _spendings;

    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external {
        uint256 limit = uint256(bytes32(initData[0:32]));
        if (limit == 0) revert PolicyNotInitialized(configId, msg.sender, account);
        _spendings[configId][msg.sender][account] = Spending(limit, 0);
    }

    function checkAction(bytes32 id, address account, address, uint256 value, bytes calldata)
        external
        returns (uint256)
    {
        return _spend(id, account, value);
    }

    /// @dev The values of a batch are added up; what is not `execute` carries none.
    function checkUserOpPolicy(bytes32 id, PackedUserOperation calldata userOp) external returns (uint256) {
        uint256 total = 0;
        if (bytes4(userOp.callData[0:4]) == Executions.EXECUTE) {
            (bytes1 callType,, bytes memory packed) = Executions.parse(userOp.callData);
            if (callType == Executions.SINGLE) {
                total = Executions.single(packed).value;
            } else if (callType == Executions.BATCH) {
                Execution[] memory calls = Executions.batch(packed);
                for (uint256 i = 0; i < calls.length; ++i) total += calls[i].value;
            } else {
                return REFUSED;
            }
        }
        return _spend(id, userOp.sender, total);
    }

    function getUsed(bytes32 id, address multiplexer, address account) external view returns (uint256) {
        return _spendings[id][multiplexer][account].used;
    }

    function getValueLimit(bytes32 id, address multiplexer, address account) external view returns (uint256) {
        return _spendings[id][multiplexer][account].limit;
    }

    function _spend(bytes32 id, address account, uint256 value) private returns (uint256) {
        Spending storage spending = _spendings[id][msg.sender][account];
        if (spending.limit == 0) revert PolicyNotInitialized(id, msg.sender, account);
        if (spending.used + value > spending.limit) return REFUSED;
        spending.used += value;
        return ACCEPTED;
    }

    function _judgesUserOps() internal pure override returns (bool) {
        return true;
    }
}

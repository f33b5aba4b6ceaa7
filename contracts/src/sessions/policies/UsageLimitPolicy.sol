// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../../common/PackedUserOperation.sol";
import {IActionPolicy, IUserOpPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice How often; init data: limit(16). On an action every inner call counts, on operations each operation.
contract UsageLimitPolicy is Policy, IActionPolicy, IUserOpPolicy {
    struct Usage {
        uint128 limit;
        uint128 used;
    }

    mapping(bytes32 id => mapping(address multiplexer => mapping(address account => Usage))) private _usages;

    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external {
        uint128 limit = uint128(bytes16(initData[0:16]));
        if (limit == 0) revert PolicyNotInitialized(configId, msg.sender, account);
        _usages[configId][msg.sender][account] = Usage(limit, 0);
    }

    function checkAction(bytes32 id, address account, address, uint256, bytes calldata) external returns (uint256) {
        return _count(id, account);
    }

    function checkUserOpPolicy(bytes32 id, PackedUserOperation calldata userOp) external returns (uint256) {
        return _count(id, userOp.sender);
    }

    function getUsed(bytes32 id, address multiplexer, address account) external view returns (uint128) {
        return _usages[id][multiplexer][account].used;
    }

    function getUsageLimit(bytes32 id, address multiplexer, address account) external view returns (uint128) {
        return _usages[id][multiplexer][account].limit;
    }

    function _count(bytes32 id, address account) private returns (uint256) {
        Usage storage usage = _usages[id][msg.sender][account];
        if (usage.limit == 0) revert PolicyNotInitialized(id, msg.sender, account);
        if (usage.used >= usage.limit) return REFUSED;
        ++usage.used;
        return ACCEPTED;
    }

    function _judgesUserOps() internal pure override returns (bool) {
        return true;
    }
}

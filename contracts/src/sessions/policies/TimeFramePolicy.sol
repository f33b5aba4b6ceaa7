// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../../common/PackedUserOperation.sol";
import {I1271Policy, IActionPolicy, IUserOpPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice From when until when; init data: validUntil(6) | validAfter(6), until 0 = no end.
contract TimeFramePolicy is Policy, IActionPolicy, IUserOpPolicy, I1271Policy {
    /// @dev validUntil(6) | validAfter(6), zero = not set.
    mapping(bytes32 id => mapping(address multiplexer => mapping(address account => uint96))) private _frames;

    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external {
        uint96 frame = uint96(bytes12(initData[0:12]));
        (uint256 validUntil, uint256 validAfter) = _unpack(frame);
        if (validUntil != 0 && validAfter > validUntil) revert PolicyNotInitialized(configId, msg.sender, account);
        _frames[configId][msg.sender][account] = frame;
    }

    function checkAction(bytes32 id, address account, address, uint256, bytes calldata)
        external
        view
        returns (uint256)
    {
        return _window(id, account);
    }

    function checkUserOpPolicy(bytes32 id, PackedUserOperation calldata userOp) external view returns (uint256) {
        return _window(id, userOp.sender);
    }

    function check1271SignedAction(bytes32 id, address, address account, bytes32, bytes calldata)
        external
        view
        returns (bool)
    {
        uint96 frame = _frames[id][msg.sender][account];
        (uint256 validUntil, uint256 validAfter) = _unpack(frame);
        return frame != 0 && block.timestamp >= validAfter && (validUntil == 0 || block.timestamp <= validUntil);
    }

    function getTimeFrameConfig(bytes32 id, address multiplexer, address account) external view returns (uint96) {
        return _frames[id][multiplexer][account];
    }

    /// @dev Validation data; a frame without both ends is none at all.
    function _window(bytes32 id, address account) private view returns (uint256) {
        uint96 frame = _frames[id][msg.sender][account];
        if (frame == 0) revert PolicyNotInitialized(id, msg.sender, account);
        (uint256 validUntil, uint256 validAfter) = _unpack(frame);
        return validAfter << 208 | validUntil << 160;
    }

    function _unpack(uint96 frame) private pure returns (uint256 validUntil, uint256 validAfter) {
        return (frame >> 48, uint48(frame));
    }

    function _judgesUserOps() internal pure override returns (bool) {
        return true;
    }

    function _judgesMessages() internal pure override returns (bool) {
        return true;
    }
}

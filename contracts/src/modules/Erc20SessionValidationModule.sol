// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ExecuteSelectors, ISessionValidationModule} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {UserOperation} from "../common/UserOperation.sol";

/// @notice Sessions that may move one token to one recipient, up to an amount per call.
/// @dev sessionKeyData: abi(address sessionKey, address token, address recipient, uint256 maxAmount). Like the public
/// module it does not look at the inner selector: `approve(recipient, amount)` passes, too.
contract Erc20SessionValidationModule is ISessionValidationModule {
    string public constant NAME = "ERC20 Session Validation Module";
    string public constant VERSION = "1.0.0";

    /// @inheritdoc ISessionValidationModule
    function validateSessionUserOp(
        UserOperation calldata userOp,
        bytes32 userOpHash,
        bytes calldata sessionKeyData,
        bytes calldata sessionSignature
    ) external pure returns (bool) {
        bytes calldata outer = userOp.callData;
        require(ExecuteSelectors.isSingle(bytes4(outer[:4])), "ERC20SV Invalid Selector");
        (address to, uint256 value, bytes memory data) = abi.decode(outer[4:], (address, uint256, bytes));
        address sessionKey = _check(to, value, data, sessionKeyData);
        return sessionKey == Secp256k1.recoverPersonal(userOpHash, sessionSignature);
    }

    /// @inheritdoc ISessionValidationModule
    function validateSessionParams(
        address to,
        uint256 value,
        bytes calldata data,
        bytes calldata sessionKeyData,
        bytes calldata
    ) external pure returns (address) {
        return _check(to, value, data, sessionKeyData);
    }

    function _check(address to, uint256 value, bytes memory data, bytes calldata sessionKeyData)
        private
        pure
        returns (address)
    {
        (address sessionKey, address token, address recipient, uint256 maxAmount) =
            abi.decode(sessionKeyData, (address, address, address, uint256));
        require(to == token, "ERC20SV Wrong Token");
        require(value == 0, "ERC20SV Non Zero Value");
        // selector(4) | recipient word(32) | amount word(32): anything shorter has no arguments to judge
        if (data.length < 68) revert();
        uint256 receiver;
        uint256 amount;
        assembly ("memory-safe") {
            receiver := mload(add(data, 36))
            amount := mload(add(data, 68))
        }
        require(receiver == uint256(uint160(recipient)), "ERC20SV Wrong Recipient");
        require(amount <= maxAmount, "ERC20SV Max Amount Exceeded");
        return sessionKey;
    }
}

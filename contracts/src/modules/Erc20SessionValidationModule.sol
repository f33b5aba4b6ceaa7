// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ExecuteSelectors, ISessionValidationModule} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {UserOperation} from "../common/UserOperation.sol";

/// @notice Sessions that may move one token to one recipient, up to an amount per call.
/// @dev sessionKeyData: abi(address sessionKey, address token, address recipient, uint256 maxAmount). Like the public
/// module it does not look at the inner selector: `approve(recipient, amount)` passes, too. And like there its two paths
/// differ: the single one reads the recipient's 20 bytes and leaves those before them to the token, the batch one decodes
/// the arguments, which refuses such a word without a text; and each has its own text for another token.
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
        Allowed memory allowed = _allowed(sessionKeyData);
        require(to == allowed.token, "ERC20SV Wrong Token");
        require(value == 0, "ERC20SV Non Zero Value");
        // selector(4) | recipient word(32) | amount word(32)
        require(_recipientBytes(data) == allowed.recipient, "ERC20SV Wrong Recipient");
        require(_amount(data) <= allowed.maxAmount, "ERC20SV Max Amount Exceeded");
        return allowed.sessionKey == Secp256k1.recoverPersonal(userOpHash, sessionSignature);
    }

    /// @inheritdoc ISessionValidationModule
    function validateSessionParams(
        address to,
        uint256 value,
        bytes calldata data,
        bytes calldata sessionKeyData,
        bytes calldata
    ) external pure returns (address) {
        Allowed memory allowed = _allowed(sessionKeyData);
        require(to == allowed.token, "ERC20SV Invalid Token");
        require(value == 0, "ERC20SV Non Zero Value");
        (address recipient, uint256 amount) = abi.decode(data[4:], (address, uint256));
        require(recipient == allowed.recipient, "ERC20SV Wrong Recipient");
        require(amount <= allowed.maxAmount, "ERC20SV Max Amount Exceeded");
        return allowed.sessionKey;
    }

    /// @dev What the session key data name.
    struct Allowed {
        address sessionKey;
        address token;
        address recipient;
        uint256 maxAmount;
    }

    function _allowed(bytes calldata sessionKeyData) private pure returns (Allowed memory allowed) {
        return abi.decode(sessionKeyData, (Allowed));
    }

    /// @dev Bytes 16 to 36: the address in the recipient's word, whatever is before it. Call data that ends before reverts.
    function _recipientBytes(bytes memory data) private pure returns (address recipient) {
        if (data.length < 36) revert();
        assembly ("memory-safe") {
            recipient := and(mload(add(data, 36)), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    /// @dev Bytes 36 to 68.
    function _amount(bytes memory data) private pure returns (uint256 amount) {
        if (data.length < 68) revert();
        assembly ("memory-safe") {
            amount := mload(add(data, 68))
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ExecuteSelectors, ISessionValidationModule} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {UserOperation} from "../common/UserOperation.sol";

/// @notice Sessions bound to one contract, one function, a value limit and rules over the arguments' words.
/// @dev sessionKeyData: key(20) | destination(20) | selector(4) | valueLimit(16) | count(2) |
/// count * ( offset(2) | condition(1) | reference(32) ); offsets count from behind the selector.
contract AbiSessionValidationModule is ISessionValidationModule {
    string public constant NAME = "ABI Session Validation Module";
    string public constant VERSION = "1.0.0";

    uint256 private constant RULES_START = 62;
    uint256 private constant RULE_SIZE = 35;

    /// @inheritdoc ISessionValidationModule
    function validateSessionUserOp(
        UserOperation calldata userOp,
        bytes32 userOpHash,
        bytes calldata sessionKeyData,
        bytes calldata sessionSignature
    ) external pure returns (bool) {
        bytes calldata outer = userOp.callData;
        require(ExecuteSelectors.isSingle(bytes4(outer[:4])), "ABISV Not Execute Selector");
        (address to, uint256 value, bytes calldata data) = _readExecute(outer);
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

    /// @dev Follows the encoded offset without any bounds check: call data that lies about itself is refused by the
    /// account's own decoder, which is what runs in the end.
    function _readExecute(bytes calldata outer)
        private
        pure
        returns (address to, uint256 value, bytes calldata data)
    {
        assembly ("memory-safe") {
            let arguments := add(outer.offset, 4)
            to := shr(96, shl(96, calldataload(arguments)))
            value := calldataload(add(arguments, 32))
            let length := add(arguments, calldataload(add(arguments, 64)))
            data.length := calldataload(length)
            data.offset := add(length, 32)
        }
    }

    function _check(address to, uint256 value, bytes calldata data, bytes calldata sessionKeyData)
        private
        pure
        returns (address sessionKey)
    {
        sessionKey = address(bytes20(sessionKeyData[0:20]));
        require(to == address(bytes20(sessionKeyData[20:40])), "ABISV Destination Forbidden");
        require(bytes4(data[:4]) == bytes4(sessionKeyData[40:44]), "ABISV Selector Forbidden");
        require(value <= uint128(bytes16(sessionKeyData[44:60])), "ABISV Permitted Value Exceeded");
        uint256 count = uint16(bytes2(sessionKeyData[60:RULES_START]));
        for (uint256 i = 0; i < count; ++i) {
            uint256 start = RULES_START + i * RULE_SIZE;
            bytes calldata rule = sessionKeyData[start:start + RULE_SIZE];
            uint256 offset = 4 + uint256(uint16(bytes2(rule[0:2])));
            require(
                _holds(uint8(rule[2]), uint256(bytes32(data[offset:offset + 32])), uint256(bytes32(rule[3:35]))),
                "ABISV Arg Rule Violated"
            );
        }
    }

    /// @dev Unsigned comparison `word ? bound`; a condition that does not exist never holds.
    function _holds(uint8 condition, uint256 word, uint256 bound) private pure returns (bool) {
        if (condition == 0) return word == bound;
        if (condition == 1) return word <= bound;
        if (condition == 2) return word < bound;
        if (condition == 3) return word >= bound;
        if (condition == 4) return word > bound;
        if (condition == 5) return word != bound;
        return false;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IActionPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice How a word of the call data must stand to the rule's.
enum ParamCondition {
    EQUAL,
    GREATER_THAN,
    LESS_THAN,
    GREATER_THAN_OR_EQUAL,
    LESS_THAN_OR_EQUAL,
    NOT_EQUAL,
    IN_RANGE
}

/// @notice A rule for the word at `offset` after the selector; `isLimited` adds all words up to at most `limit`.
struct ParamRule {
    ParamCondition condition;
    uint64 offset;
    bool isLimited;
    bytes32 ref;
    uint256 limit;
    uint256 used;
}

struct ParamRules {
    uint256 length;
    ParamRule[16] rules;
}

struct ActionConfig {
    uint256 valueLimitPerUse;
    ParamRules paramRules;
}

/// @notice Rules for the arguments of a call, and the most native value of each; init data: abi(ActionConfig).
contract UniActionPolicy is Policy, IActionPolicy {
    mapping(bytes32 id => mapping(address multiplexer => mapping(address account => ActionConfig))) public
        actionConfigs;

    error ValueLimitExceeded(bytes32 id, uint256 value, uint256 limit);

    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external {
        ActionConfig memory given = abi.decode(initData, (ActionConfig));
        ActionConfig storage config = actionConfigs[configId][msg.sender][account];
        uint256 length = given.paramRules.length;
        uint256 before = config.paramRules.length;
        config.valueLimitPerUse = given.valueLimitPerUse;
        config.paramRules.length = length;
        // more than sixteen are past the end of the list
        for (uint256 i = 0; i < length; ++i) config.paramRules.rules[i] = given.paramRules.rules[i];
        for (uint256 i = length; i < before; ++i) delete config.paramRules.rules[i];
    }

    function checkAction(bytes32 id, address account, address, uint256 value, bytes calldata data)
        external
        returns (uint256)
    {
        ActionConfig storage config = actionConfigs[id][msg.sender][account];
        uint256 length = config.paramRules.length;
        if (length == 0) revert PolicyNotInitialized(id, msg.sender, account);
        if (value > config.valueLimitPerUse) revert ValueLimitExceeded(id, value, config.valueLimitPerUse);
        for (uint256 i = 0; i < length; ++i) {
            if (!_holds(config.paramRules.rules[i], data)) return REFUSED;
        }
        return ACCEPTED;
    }

    function _holds(ParamRule storage rule, bytes calldata data) private returns (bool) {
        // in 64 bits: an offset near their end is refused by overflow
        uint64 start = rule.offset + 4;
        uint256 word = uint256(bytes32(data[start:start + 32]));
        if (!_compares(rule.condition, word, uint256(rule.ref))) return false;
        if (rule.isLimited) {
            if (rule.used + word > rule.limit) return false;
            rule.used += word;
        }
        return true;
    }

    function _compares(ParamCondition condition, uint256 word, uint256 ref) private pure returns (bool) {
        if (condition == ParamCondition.EQUAL) return word == ref;
        if (condition == ParamCondition.GREATER_THAN) return word > ref;
        if (condition == ParamCondition.LESS_THAN) return word < ref;
        if (condition == ParamCondition.GREATER_THAN_OR_EQUAL) return word >= ref;
        if (condition == ParamCondition.LESS_THAN_OR_EQUAL) return word <= ref;
        if (condition == ParamCondition.NOT_EQUAL) return word != ref;
        // least(16) | most(16)
        return word >= ref >> 128 && word <= uint128(ref);
    }
}

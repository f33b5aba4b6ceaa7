// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IActionPolicy} from "../SessionInterfaces.sol";
import {Policy} from "./Policy.sol";

/// @notice How much of some tokens in all; init data: abi(address[] tokens, uint256[] limits), base units.
/// @dev What is approved counts like what is spent and never comes back. State is per action: the same limit in the actions
/// `transfer` and `approve` of a token allows twice as much.
contract ERC20SpendingLimitPolicy is Policy, IActionPolicy {
    bytes4 private constant TRANSFER = 0xa9059cbb;
    bytes4 private constant TRANSFER_FROM = 0x23b872dd;
    bytes4 private constant APPROVE = 0x095ea7b3;
    bytes4 private constant INCREASE_ALLOWANCE = 0x39509351;

    struct Spending {
        uint256 limit;
        uint256 spent;
        uint256 approved;
    }

    /// @dev How often a configuration was set: what an older one said of a token is out of date.
    mapping(bytes32 id => mapping(address multiplexer => mapping(address account => uint256))) private _settings;
    mapping(bytes32 key => mapping(address token => Spending)) private _spendings;

    error InvalidTokenAddress(address token);
    error InvalidLimit(uint256 limit);
    error InvalidInitDataLength();

    function initializeWithMultiplexer(address account, bytes32 configId, bytes calldata initData) external {
        (address[] memory tokens, uint256[] memory limits) = abi.decode(initData, (address[], uint256[]));
        if (tokens.length != limits.length) revert InvalidInitDataLength();
        ++_settings[configId][msg.sender][account];
        bytes32 key = _key(configId, msg.sender, account);
        for (uint256 i = 0; i < tokens.length; ++i) {
            if (tokens[i] == address(0)) revert InvalidTokenAddress(tokens[i]);
            if (limits[i] == 0) revert InvalidLimit(limits[i]);
            _spendings[key][tokens[i]] = Spending(limits[i], 0, 0);
        }
    }

    /// @dev A token that is not listed has the limit 0.
    function checkAction(bytes32 id, address account, address target, uint256 value, bytes calldata data)
        external
        returns (uint256)
    {
        if (value != 0) return REFUSED;
        Spending storage spending = _spendings[_key(id, msg.sender, account)][target];
        bytes4 selector = bytes4(data[0:4]);
        if (selector == TRANSFER) {
            spending.spent += _word(data, 1);
        } else if (selector == TRANSFER_FROM) {
            // to the account itself nothing is spent
            uint256 amount = _word(data, 2);
            if (address(uint160(_word(data, 1))) != account) spending.spent += amount;
        } else if (selector == APPROVE || selector == INCREASE_ALLOWANCE) {
            spending.approved += _word(data, 1);
        } else {
            return REFUSED;
        }
        // refused means that the session module undoes what was counted
        return spending.spent + spending.approved <= spending.limit ? ACCEPTED : REFUSED;
    }

    function getPolicyData(bytes32 id, address multiplexer, address token, address account)
        external
        view
        returns (uint256 limit, uint256 spent, uint256 approved)
    {
        Spending storage spending = _spendings[_key(id, multiplexer, account)][token];
        if (spending.limit == 0) revert PolicyNotInitialized(id, multiplexer, account);
        return (spending.limit, spending.spent, spending.approved);
    }

    function _key(bytes32 id, address multiplexer, address account) private view returns (bytes32) {
        return keccak256(abi.encode(id, multiplexer, account, _settings[id][multiplexer][account]));
    }

    /// @dev Argument number `index`; it must be there.
    function _word(bytes calldata data, uint256 index) private pure returns (uint256) {
        uint256 start = 4 + 32 * index;
        return uint256(bytes32(data[start:start + 32]));
    }
}

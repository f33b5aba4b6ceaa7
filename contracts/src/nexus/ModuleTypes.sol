// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Numbers of ERC-7579's kinds of modules that have a contract here.
library ModuleTypes {
    uint256 internal constant VALIDATOR = 1;
    /// @dev Checks signatures for others and is never installed.
    uint256 internal constant STATELESS_VALIDATOR = 7;
}

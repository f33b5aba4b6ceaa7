// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Stands for the OP stack's gas price oracle: data costs a price per byte.
/// @dev Placed by tests; slot 0 is the price.
contract GasPriceOracle {
    uint256 public weiPerByte;

    function getL1Fee(bytes memory data) external view returns (uint256 fee) {
        return data.length * weiPerByte;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Stands for what Arbitrum's nodes answer for: data costs so much gas per byte.
/// @dev Placed by tests; slot 0 is the price. There, no code is at this address.
contract NodeInterface {
    uint256 public gasPerByte;

    function gasEstimateL1Component(address, bool, bytes calldata data)
        external
        payable
        returns (uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate)
    {
        return (uint64(data.length * gasPerByte), 100_000_000, 10 gwei);
    }
}

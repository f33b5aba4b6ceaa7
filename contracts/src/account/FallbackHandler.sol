// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Answers the token callbacks for every account, so that accounts can receive ERC-721, ERC-1155 and ERC-777.
contract FallbackHandler {
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC721Received.selector;
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        pure
        returns (bytes4)
    {
        return this.onERC1155BatchReceived.selector;
    }

    /// @notice ERC-777 hook: accepting is all there is to do.
    function tokensReceived(address, address, address, uint256, bytes calldata, bytes calldata) external pure {}

    /// @notice ERC-165: this interface, ERC-721 receiver, ERC-1155 receiver.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == 0x01ffc9a7 || interfaceId == 0x150b7a02 || interfaceId == 0x4e2312e0;
    }
}

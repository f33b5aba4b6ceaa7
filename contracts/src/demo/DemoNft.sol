// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice ERC-721 that anyone may mint: something to do with a session.
contract DemoNft {
    string public constant name = "use-aa demo NFT";
    string public constant symbol = "DEMO";

    /// @notice Tokens minted so far; the next id.
    uint256 public totalSupply;

    mapping(uint256 tokenId => address) private _owners;
    mapping(address owner => uint256) private _balances;
    mapping(uint256 tokenId => address) private _approved;
    mapping(address owner => mapping(address operator => bool)) public isApprovedForAll;

    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);

    error ZeroAddress();
    error TokenDoesNotExist(uint256 tokenId);
    error NotOwner(address account, uint256 tokenId);
    error NotAllowed(address caller, uint256 tokenId);
    error ReceiverRefused(address receiver);

    /// @notice One new token for `to`.
    function safeMint(address to) external returns (uint256 tokenId) {
        if (to == address(0)) revert ZeroAddress();
        tokenId = totalSupply++;
        _owners[tokenId] = to;
        ++_balances[to];
        emit Transfer(address(0), to, tokenId);
        _requireAccepted(address(0), to, tokenId, "");
    }

    function balanceOf(address owner) external view returns (uint256) {
        if (owner == address(0)) revert ZeroAddress();
        return _balances[owner];
    }

    function ownerOf(uint256 tokenId) public view returns (address owner) {
        owner = _owners[tokenId];
        if (owner == address(0)) revert TokenDoesNotExist(tokenId);
    }

    function getApproved(uint256 tokenId) external view returns (address) {
        ownerOf(tokenId);
        return _approved[tokenId];
    }

    function tokenURI(uint256 tokenId) external view returns (string memory) {
        ownerOf(tokenId);
        return "data:application/json,%7B%22name%22%3A%22use-aa%20demo%20NFT%22%7D";
    }

    function approve(address to, uint256 tokenId) external {
        address owner = ownerOf(tokenId);
        if (msg.sender != owner && !isApprovedForAll[owner][msg.sender]) revert NotAllowed(msg.sender, tokenId);
        _approved[tokenId] = to;
        emit Approval(owner, to, tokenId);
    }

    function setApprovalForAll(address operator, bool approved) external {
        isApprovedForAll[msg.sender][operator] = approved;
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    function transferFrom(address from, address to, uint256 tokenId) public {
        if (to == address(0)) revert ZeroAddress();
        address owner = ownerOf(tokenId);
        if (owner != from) revert NotOwner(from, tokenId);
        bool allowed =
            msg.sender == owner || msg.sender == _approved[tokenId] || isApprovedForAll[owner][msg.sender];
        if (!allowed) revert NotAllowed(msg.sender, tokenId);
        delete _approved[tokenId];
        --_balances[from];
        ++_balances[to];
        _owners[tokenId] = to;
        emit Transfer(from, to, tokenId);
    }

    function safeTransferFrom(address from, address to, uint256 tokenId) external {
        safeTransferFrom(from, to, tokenId, "");
    }

    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory data) public {
        transferFrom(from, to, tokenId);
        _requireAccepted(from, to, tokenId, data);
    }

    /// @notice ERC-165: this interface, ERC-721, its metadata extension.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == 0x01ffc9a7 || interfaceId == 0x80ac58cd || interfaceId == 0x5b5e139f;
    }

    function _requireAccepted(address from, address to, uint256 tokenId, bytes memory data) private {
        if (to.code.length == 0) return;
        (bool success, bytes memory answer) =
            to.call(abi.encodeCall(IErc721Receiver.onERC721Received, (msg.sender, from, tokenId, data)));
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        // the published Nexus answers with the four bytes alone, not with a word
        if (answer.length < 4 || bytes4(answer) != IErc721Receiver.onERC721Received.selector) {
            revert ReceiverRefused(to);
        }
    }
}

interface IErc721Receiver {
    function onERC721Received(address operator, address from, uint256 tokenId, bytes calldata data)
        external
        returns (bytes4);
}

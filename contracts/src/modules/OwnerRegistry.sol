// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Secp256k1} from "../common/Secp256k1.sol";

/// @notice One externally owned key per account, and the check of that key's signatures.
abstract contract OwnerRegistry {
    bytes4 internal constant ERC1271_VALID = 0x1626ba7e;
    bytes4 internal constant ERC1271_INVALID = 0xffffffff;

    mapping(address account => address owner) private _owners;

    event OwnershipTransferred(address indexed smartAccount, address indexed oldOwner, address indexed newOwner);

    error NoOwnerRegisteredForSmartAccount(address smartAccount);
    error AlreadyInitedForSmartAccount(address smartAccount);
    error WrongSignatureLength();
    error NotEOA(address account);
    error ZeroAddressNotAllowedAsOwner();

    /// @notice First owner of the calling account; answers with the module, as the account's setup expects.
    function initForSmartAccount(address owner) external returns (address) {
        if (_owners[msg.sender] != address(0)) revert AlreadyInitedForSmartAccount(msg.sender);
        if (owner == address(0)) revert ZeroAddressNotAllowedAsOwner();
        _owners[msg.sender] = owner;
        return address(this);
    }

    /// @notice The calling account gets another owner, which must be a key, not a contract.
    function transferOwnership(address owner) external {
        if (owner.code.length != 0) revert NotEOA(owner);
        if (owner == address(0)) revert ZeroAddressNotAllowedAsOwner();
        _setOwner(owner);
    }

    /// @notice The calling account gives its owner up.
    function renounceOwnership() external {
        _setOwner(address(0));
    }

    /// @notice Owner of `smartAccount`.
    function getOwner(address smartAccount) public view returns (address owner) {
        owner = _owners[smartAccount];
        if (owner == address(0)) revert NoOwnerRegisteredForSmartAccount(smartAccount);
    }

    /// @notice ERC-1271 for the calling account.
    function isValidSignature(bytes32 dataHash, bytes calldata signature) external view returns (bytes4) {
        return isValidSignatureForAddress(dataHash, signature, msg.sender);
    }

    /// @notice ERC-1271 for any account.
    function isValidSignatureForAddress(bytes32 dataHash, bytes memory signature, address smartAccount)
        public
        view
        returns (bytes4)
    {
        return _signedByOwner(dataHash, signature, smartAccount) ? ERC1271_VALID : ERC1271_INVALID;
    }

    /// @dev `personal_sign` of the hash first (what wallets make), then a signature over the bare hash.
    function _signedByOwner(bytes32 dataHash, bytes memory signature, address smartAccount)
        internal
        view
        returns (bool)
    {
        address owner = getOwner(smartAccount);
        if (signature.length < 65) revert WrongSignatureLength();
        return owner == Secp256k1.recoverPersonal(dataHash, signature)
            || owner == Secp256k1.recover(dataHash, signature);
    }

    function _setOwner(address owner) private {
        emit OwnershipTransferred(msg.sender, _owners[msg.sender], owner);
        _owners[msg.sender] = owner;
    }
}

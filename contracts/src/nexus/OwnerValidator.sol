// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../common/PackedUserOperation.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {ModuleTypes} from "./ModuleTypes.sol";
import {NestedTypedData} from "./NestedTypedData.sol";

/// @notice Validator module with the K1 interface: one owner key per account.
/// @dev A signature is good over the bare hash, as `personal_sign`, or nested into the account's domain (ERC-7739). The
/// public one takes only the last for messages; it stands at another address, so that nobody confuses the two.
contract OwnerValidator {
    bytes4 private constant ERC1271_VALID = 0x1626ba7e;
    bytes4 private constant ERC1271_INVALID = 0xffffffff;
    uint256 private constant ACCEPTED = 0;
    uint256 private constant SIGNATURE_FAILED = 1;

    mapping(address account => address owner) private _owners;

    event OwnerRegistered(address indexed account, address indexed owner);

    error NoOwnerProvided();
    error ModuleAlreadyInitialized();
    error ZeroAddressNotAllowed();
    error InvalidDataLength();
    error NewOwnerIsContract();
    error NotInitialized(address account);

    /// @notice First 20 bytes: the owner. Further groups of 20 are senders that the public validator would let ask without
    /// nesting; here anybody may, so they are only checked for their shape.
    function onInstall(bytes calldata data) external {
        if (data.length == 0) revert NoOwnerProvided();
        if (data.length % 20 != 0) revert InvalidDataLength();
        if (_owners[msg.sender] != address(0)) revert ModuleAlreadyInitialized();
        _setOwner(address(bytes20(data[:20])));
    }

    function onUninstall(bytes calldata) external {
        delete _owners[msg.sender];
        emit OwnerRegistered(msg.sender, address(0));
    }

    /// @notice The calling account gets another owner, which must be a key, not a contract.
    function transferOwnership(address newOwner) external {
        if (_owners[msg.sender] == address(0)) revert NotInitialized(msg.sender);
        if (newOwner.code.length != 0) revert NewOwnerIsContract();
        _setOwner(newOwner);
    }

    function isModuleType(uint256 moduleType) external pure returns (bool) {
        return moduleType == ModuleTypes.VALIDATOR;
    }

    function isInitialized(address account) external view returns (bool) {
        return _owners[account] != address(0);
    }

    function getOwner(address account) external view returns (address) {
        return _owners[account];
    }

    /// @notice Whether the owner signed the operation: 0 or 1, and never a revert, whatever the signature is.
    function validateUserOp(PackedUserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        return Secp256k1.signedBy(_owners[userOp.sender], userOpHash, userOp.signature) ? ACCEPTED : SIGNATURE_FAILED;
    }

    /// @notice ERC-1271 for the calling account; who asked the account does not matter here.
    function isValidSignatureWithSender(address, bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return _isSigned(_owners[msg.sender], hash, signature) ? ERC1271_VALID : ERC1271_INVALID;
    }

    function _isSigned(address owner, bytes32 hash, bytes calldata signature) private view returns (bool) {
        if (Secp256k1.signedBy(owner, hash, signature)) return true;
        (bool known, NestedTypedData.Domain memory domain) = NestedTypedData.domainOf(msg.sender);
        if (!known) return false;
        if (Secp256k1.signedBy(owner, NestedTypedData.personalHash(domain, hash), signature)) return true;
        (bool wellFormed, bytes32 nested, bytes calldata inner) = NestedTypedData.typedHash(domain, hash, signature);
        return wellFormed && Secp256k1.signedBy(owner, nested, inner);
    }

    function _setOwner(address owner) private {
        if (owner == address(0)) revert ZeroAddressNotAllowed();
        _owners[msg.sender] = owner;
        emit OwnerRegistered(msg.sender, owner);
    }
}

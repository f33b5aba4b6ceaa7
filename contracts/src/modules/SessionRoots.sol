// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISessionKeyManager, ISessionValidationModule} from "../common/Interfaces.sol";
import {SortedMerkle} from "../common/SortedMerkle.sol";
import {UserOperation, ValidationData} from "../common/UserOperation.sol";

/// @notice One Merkle root of session leaves per account, and the proof that a leaf is under it: what both sources of the
/// session key manager share.
abstract contract SessionRoots is ISessionKeyManager {
    /// @notice What is stored for an account.
    struct SessionStorage {
        bytes32 merkleRoot;
    }

    struct Session {
        uint48 validUntil;
        uint48 validAfter;
        address validationModule;
        bytes keyData;
        bytes32[] proof;
        bytes signature;
    }

    mapping(address account => SessionStorage) private _sessions;

    /// @notice The calling account's sessions are those under `root`, and no others; zero means none.
    function setMerkleRoot(bytes32 root) external virtual {
        _setRoot(root);
    }

    /// @notice Root of `account`.
    function getSessionKeys(address account) external view returns (SessionStorage memory) {
        return _sessions[account];
    }

    /// @inheritdoc ISessionKeyManager
    function validateSessionKey(
        address account,
        uint48 validUntil,
        uint48 validAfter,
        address sessionValidationModule,
        bytes calldata sessionKeyData,
        bytes32[] calldata proof
    ) external view {
        _requireApproved(
            account, Session(validUntil, validAfter, sessionValidationModule, sessionKeyData, proof, "")
        );
    }

    /// @notice Sessions sign operations only, never messages.
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0xffffffff;
    }

    function _setRoot(bytes32 root) internal {
        _sessions[msg.sender].merkleRoot = root;
    }

    /// @dev Proves the leaf named in the signature, then asks its validation module.
    function _judge(UserOperation calldata userOp, bytes32 userOpHash, bytes memory moduleSignature)
        internal
        view
        returns (uint256)
    {
        Session memory session;
        (
            session.validUntil,
            session.validAfter,
            session.validationModule,
            session.keyData,
            session.proof,
            session.signature
        ) = abi.decode(moduleSignature, (uint48, uint48, address, bytes, bytes32[], bytes));
        _requireApproved(userOp.sender, session);
        bool signed = ISessionValidationModule(session.validationModule).validateSessionUserOp(
            userOp, userOpHash, session.keyData, session.signature
        );
        return ValidationData.pack(signed, session.validUntil, session.validAfter);
    }

    function _requireApproved(address account, Session memory session) private view {
        bytes32 leaf = keccak256(
            abi.encodePacked(session.validUntil, session.validAfter, session.validationModule, session.keyData)
        );
        require(SortedMerkle.verify(session.proof, _sessions[account].merkleRoot, leaf), "SessionNotApproved");
    }
}

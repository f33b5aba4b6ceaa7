// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISessionKeyManager, ISessionValidationModule} from "../common/Interfaces.sol";
import {SortedMerkle} from "../common/SortedMerkle.sol";
import {UserOperation, ValidationData} from "../common/UserOperation.sol";

/// @notice Holds one Merkle root of session leaves per account and lets a proven leaf's module judge the operation.
contract SessionKeyManager is ISessionKeyManager {
    string public constant NAME = "Session Key Manager";
    string public constant VERSION = "1.1.0";

    /// @dev Where the module signature begins in `abi(bytes moduleSignature, address module)`.
    uint256 private constant MODULE_SIGNATURE_OFFSET = 96;

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

    event MerkleRootUpdated(address smartAccount, bytes32 merkleRoot);

    /// @notice The calling account's sessions are those under `root`, and no others; zero means none.
    function setMerkleRoot(bytes32 root) external {
        _sessions[msg.sender].merkleRoot = root;
        emit MerkleRootUpdated(msg.sender, root);
    }

    /// @notice Root of `account`.
    function getSessionKeys(address account) external view returns (SessionStorage memory) {
        return _sessions[account];
    }

    /// @notice Proves the leaf named in the signature, then asks its validation module.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        Session memory session = _decode(userOp.signature[MODULE_SIGNATURE_OFFSET:]);
        _requireApproved(userOp.sender, session);
        bool signed = ISessionValidationModule(session.validationModule).validateSessionUserOp(
            userOp, userOpHash, session.keyData, session.signature
        );
        return ValidationData.pack(signed, session.validUntil, session.validAfter);
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

    function _requireApproved(address account, Session memory session) private view {
        bytes32 leaf = keccak256(
            abi.encodePacked(session.validUntil, session.validAfter, session.validationModule, session.keyData)
        );
        require(SortedMerkle.verify(session.proof, _sessions[account].merkleRoot, leaf), "SessionNotApproved");
    }

    function _decode(bytes calldata moduleSignature) private pure returns (Session memory s) {
        (s.validUntil, s.validAfter, s.validationModule, s.keyData, s.proof, s.signature) =
            abi.decode(moduleSignature, (uint48, uint48, address, bytes, bytes32[], bytes));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ExecuteSelectors,
    IModularAccount,
    ISessionKeyManager,
    ISessionValidationModule
} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {UserOperation, ValidationData} from "../common/UserOperation.sol";

/// @notice Sessions for batches: session i is proven by the session key manager and judges call i.
contract BatchedSessionRouter {
    string public constant NAME = "Batched Session Router";
    string public constant VERSION = "1.0.0";

    struct Session {
        uint48 validUntil;
        uint48 validAfter;
        address validationModule;
        bytes keyData;
        bytes32[] proof;
        bytes callSpecificData;
    }

    /// @notice Accepts when every call has a proven session of the key that signed; the windows intersect.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash) external view returns (uint256) {
        require(ExecuteSelectors.isBatch(bytes4(userOp.callData[:4])), "SR Invalid Selector");
        (bytes memory moduleSignature,) = abi.decode(userOp.signature, (bytes, address));
        (address manager, Session[] memory sessions, bytes memory signature) =
            abi.decode(moduleSignature, (address, Session[], bytes));
        require(IModularAccount(userOp.sender).isModuleEnabled(manager), "SR Invalid SKM");
        address signer = Secp256k1.recoverPersonal(userOpHash, signature);
        return _validateCalls(userOp.sender, userOp.callData[4:], ISessionKeyManager(manager), sessions, signer);
    }

    /// @notice Sessions sign operations only, never messages.
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0xffffffff;
    }

    function _validateCalls(
        address account,
        bytes calldata arguments,
        ISessionKeyManager manager,
        Session[] memory sessions,
        address signer
    ) private view returns (uint256) {
        (address[] memory to, uint256[] memory value, bytes[] memory data) =
            abi.decode(arguments, (address[], uint256[], bytes[]));
        require(sessions.length == to.length, "Lengths mismatch");
        uint48 until = type(uint48).max;
        uint48 notBefore = 0;
        for (uint256 i = 0; i < to.length; ++i) {
            Session memory session = sessions[i];
            if (_sessionKeyFor(account, manager, session, to[i], value[i], data[i]) != signer) {
                return ValidationData.SIGNATURE_FAILED;
            }
            if (session.validUntil != 0 && session.validUntil < until) until = session.validUntil;
            if (session.validAfter > notBefore) notBefore = session.validAfter;
        }
        return ValidationData.pack(true, until, notBefore);
    }

    function _sessionKeyFor(
        address account,
        ISessionKeyManager manager,
        Session memory session,
        address to,
        uint256 value,
        bytes memory data
    ) private view returns (address) {
        manager.validateSessionKey(
            account, session.validUntil, session.validAfter, session.validationModule, session.keyData, session.proof
        );
        return ISessionValidationModule(session.validationModule).validateSessionParams(
            to, value, data, session.keyData, session.callSpecificData
        );
    }
}

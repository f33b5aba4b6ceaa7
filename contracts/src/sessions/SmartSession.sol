// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../common/PackedUserOperation.sol";
import {ModuleTypes} from "../nexus/ModuleTypes.sol";
import {Execution, Executions} from "./Executions.sol";
import {FastLz} from "./FastLz.sol";
import {SessionAdministration} from "./SessionAdministration.sol";
import {SessionHash} from "./SessionHash.sol";
import {IActionPolicy, IERC1271, ISessionValidator, IUserOpPolicy} from "./SessionInterfaces.sol";
import {ChainDigest, EnableSession, Mode, Session, SessionIds} from "./SessionTypes.sol";
import {Sets} from "./Sets.sol";

/// @notice Validator module: keys that may act for an account within the policies of their session.
contract SmartSession is SessionAdministration {
    using Sets for Sets.Set;

    bytes4 private constant ERC1271_VALID = 0x1626ba7e;
    bytes4 private constant ERC1271_INVALID = 0xffffffff;
    uint256 private constant SIGNATURE_FAILED = 1;
    uint256 private constant NO_END = type(uint48).max;

    /// @dev Who asks, under which session, and the window in which all policies so far agree.
    struct Use {
        address account;
        bytes32 permissionId;
        uint256 validAfter;
        uint256 validUntil;
    }

    error InvalidUserOpSender(address sender);
    error NoPoliciesSet(bytes32 permissionId);
    error PolicyViolation(bytes32 permissionId, address policy);
    error PolicyCheckReverted(bytes32 revertData);
    error PaymasterValidationNotEnabled(bytes32 permissionId);
    error UnsupportedExecutionType();
    error UnsupportedCallType(bytes1 callType);
    error NoExecutionsInBatch();
    error InvalidSelfCall();
    error InvalidTarget();
    error InvalidMode();
    error InvalidEnableSignature(address account, bytes32 hash);
    error HashMismatch(bytes32 providedHash, bytes32 computedHash);
    error ChainIdMismatch(uint64 providedChainId);
    error SmartSessionModuleAlreadyInstalled(address account);

    /// @notice Installs the module, optionally with its first sessions: mode(1) | abi(Session[]).
    function onInstall(bytes calldata data) external {
        if (_permissionIds[msg.sender].length() != 0) revert SmartSessionModuleAlreadyInstalled(msg.sender);
        if (data.length == 0) return;
        if (Mode(uint8(data[0])) == Mode.USE) revert InvalidMode();
        enableSessions(abi.decode(data[1:], (Session[])));
    }

    /// @notice Removes all sessions of the calling account, however many they are.
    function onUninstall(bytes calldata) external {
        bytes32[] memory permissionIds = _permissionIds[msg.sender].items;
        for (uint256 i = 0; i < permissionIds.length; ++i) _remove(msg.sender, permissionIds[i]);
    }

    function isModuleType(uint256 moduleType) external pure returns (bool) {
        return moduleType == ModuleTypes.VALIDATOR;
    }

    function isInitialized(address account) external view returns (bool) {
        return _permissionIds[account].length() != 0;
    }

    /// @notice Sessions sign no messages here, and so no grants of further sessions either.
    function isValidSignatureWithSender(address, bytes32, bytes calldata) external pure returns (bytes4) {
        return ERC1271_INVALID;
    }

    /// @notice The account's question. Policies come before the signature, so that estimation, which has only a stub, hears
    /// of a violation; only a wrong signature is an answer, everything else a revert.
    function validateUserOp(PackedUserOperation calldata userOp, bytes32 userOpHash) external returns (uint256) {
        if (userOp.sender != msg.sender) revert InvalidUserOpSender(userOp.sender);
        Mode mode = Mode(uint8(bytes1(userOp.signature[0:1])));
        bytes32 permissionId;
        bytes memory signature;
        if (mode == Mode.USE) {
            permissionId = bytes32(userOp.signature[1:33]);
            signature = userOp.signature[33:];
        } else {
            EnableSession memory grant;
            (grant, signature) = abi.decode(FastLz.decompress(userOp.signature[1:]), (EnableSession, bytes));
            permissionId = _enableByGrant(msg.sender, grant, mode);
        }
        if (!isPermissionEnabled(permissionId, msg.sender)) revert InvalidPermissionId(permissionId);

        Use memory use = Use(msg.sender, permissionId, 0, NO_END);
        _checkUserOp(use, userOp);
        _checkCallData(use, userOp.callData);
        Permission storage permission = _permissions[permissionId][msg.sender];
        bool signed = ISessionValidator(permission.validator).validateSignatureWithData(
            userOpHash, signature, permission.validatorData
        );
        return signed ? use.validAfter << 208 | use.validUntil << 160 : SIGNATURE_FAILED;
    }

    /// @dev A grant is good once: the nonce that it was signed for is used up with it.
    function _enableByGrant(address account, EnableSession memory grant, Mode mode)
        private
        returns (bytes32 permissionId)
    {
        Session memory session = grant.sessionToEnable;
        permissionId = SessionIds.permission(session);
        ChainDigest memory own = grant.hashesAndChainIds[grant.chainDigestIndex];
        if (own.chainId != block.chainid) revert ChainIdMismatch(own.chainId);
        uint256 nonce = _nonces[permissionId][account]++;
        bytes32 digest = SessionHash.session(account, address(this), session, mode, nonce);
        if (own.sessionDigest != digest) revert HashMismatch(own.sessionDigest, digest);
        bytes32 hash = SessionHash.grant(grant.hashesAndChainIds);
        if (IERC1271(account).isValidSignature(hash, grant.permissionEnableSig) != ERC1271_VALID) {
            revert InvalidEnableSignature(account, hash);
        }
        _enable(account, permissionId, session);
    }

    /// @dev Without a paymaster no policy is needed; with one the session must allow it and have at least one.
    function _checkUserOp(Use memory use, PackedUserOperation calldata userOp) private {
        Permission storage permission = _permissions[use.permissionId][use.account];
        bool sponsored = userOp.paymasterAndData.length != 0;
        if (sponsored && !permission.permitsPaymaster) revert PaymasterValidationNotEnabled(use.permissionId);
        if (permission.userOpPolicies.length() == 0) {
            if (sponsored) revert NoPoliciesSet(use.permissionId);
            return;
        }
        bytes32 configId = SessionIds.userOpConfig(use.account, use.permissionId);
        bytes memory question = abi.encodeCall(IUserOpPolicy.checkUserOpPolicy, (configId, userOp));
        _ask(use, permission.userOpPolicies, question);
    }

    function _checkCallData(Use memory use, bytes calldata callData) private {
        bytes4 selector = bytes4(callData[0:4]);
        if (selector == Executions.EXECUTE_USER_OP) revert UnsupportedExecutionType();
        if (selector != Executions.EXECUTE) {
            _checkAction(use, Execution(use.account, 0, callData), selector);
            return;
        }
        (bytes1 callType, bytes1 execType, bytes memory packed) = Executions.parse(callData);
        if (execType != Executions.REVERTING) revert UnsupportedExecutionType();
        if (callType == Executions.SINGLE) {
            _checkCall(use, Executions.single(packed));
        } else if (callType == Executions.BATCH) {
            Execution[] memory calls = Executions.batch(packed);
            if (calls.length == 0) revert NoExecutionsInBatch();
            for (uint256 i = 0; i < calls.length; ++i) _checkCall(use, calls[i]);
        } else {
            revert UnsupportedCallType(callType);
        }
    }

    function _checkCall(Use memory use, Execution memory call) private {
        bytes4 selector = call.data.length < 4 ? SessionIds.NO_SELECTOR : bytes4(call.data);
        // what hides in there would not be looked at
        if (call.target == use.account && selector == Executions.EXECUTE) revert InvalidSelfCall();
        if (call.target == SessionIds.FALLBACK_TARGET) revert InvalidTarget();
        _checkAction(use, call, selector);
    }

    /// @dev All policies of the action must agree. Calls of this module have the administration fallback only; other
    /// actions without policies the generic one.
    function _checkAction(Use memory use, Execution memory call, bytes4 selector) private {
        mapping(bytes32 actionId => Sets.Set) storage policiesOf =
            _permissions[use.permissionId][use.account].actionPolicies;
        bytes32 actionId = call.target == address(this)
            ? SessionIds.administrationFallback()
            : SessionIds.action(call.target, selector);
        if (call.target != address(this) && policiesOf[actionId].length() == 0) {
            actionId = SessionIds.genericFallback();
        }
        if (policiesOf[actionId].length() == 0) revert NoPoliciesSet(use.permissionId);
        bytes32 configId = SessionIds.actionConfig(use.account, use.permissionId, actionId);
        bytes memory question =
            abi.encodeCall(IActionPolicy.checkAction, (configId, use.account, call.target, call.value, call.data));
        _ask(use, policiesOf[actionId], question);
    }

    /// @dev Every policy must answer with "accepted"; the window narrows to what all allow.
    function _ask(Use memory use, Sets.Set storage policies, bytes memory question) private {
        uint256 count = policies.length();
        for (uint256 i = 0; i < count; ++i) {
            address policy = policies.at(i);
            (bool success, bytes memory answer) = policy.call(question);
            if (!success || answer.length < 32) revert PolicyCheckReverted(bytes32(answer));
            uint256 verdict = uint256(bytes32(answer));
            if (uint160(verdict) != 0) revert PolicyViolation(use.permissionId, policy);
            uint256 validAfter = verdict >> 208;
            uint256 validUntil = uint48(verdict >> 160);
            if (validAfter > use.validAfter) use.validAfter = validAfter;
            if (validUntil != 0 && validUntil < use.validUntil) use.validUntil = validUntil;
        }
    }
}

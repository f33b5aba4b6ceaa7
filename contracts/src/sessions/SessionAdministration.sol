// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {PackedUserOperation} from "../common/PackedUserOperation.sol";
import {ModuleTypes} from "../nexus/ModuleTypes.sol";
import {
    I1271Policy, IActionPolicy, IERC165, IPolicy, ISessionValidator, IUserOpPolicy
} from "./SessionInterfaces.sol";
import {SessionStore} from "./SessionStore.sol";
import {ActionData, PolicyData, PolicyType, Session, SessionIds} from "./SessionTypes.sol";
import {Sets} from "./Sets.sol";

/// @notice Enabling, changing and removing sessions. The account is always the caller.
abstract contract SessionAdministration is SessionStore {
    using Sets for Sets.Set;

    // None of their fields is indexed: that is how the public contract logs, and clients must cope with it.
    event SessionCreated(bytes32 permissionId, address account);
    event SessionRemoved(bytes32 permissionId, address account);
    event SessionValidatorEnabled(bytes32 permissionId, address sessionValidator, address account);
    event SessionValidatorDisabled(bytes32 permissionId, address sessionValidator, address account);
    event PermissionIdPermit4337Paymaster(bytes32 permissionId, address account, bool enabled);
    event PolicyEnabled(bytes32 permissionId, PolicyType policyType, address policy, address account);
    event PolicyDisabled(bytes32 permissionId, PolicyType policyType, address policy, address account);
    event ActionIdDisabled(bytes32 permissionId, bytes32 actionId, address account);
    event NonceIterated(bytes32 permissionId, address account, uint256 newValue);

    error InvalidSession(bytes32 permissionId);
    error InvalidPermissionId(bytes32 permissionId);
    error InvalidISessionValidator(address sessionValidator);
    error InvalidActionId();
    error InvalidData();
    error UnsupportedPolicy(address policy);

    modifier onlyEnabled(bytes32 permissionId) {
        if (!isPermissionEnabled(permissionId, msg.sender)) revert InvalidPermissionId(permissionId);
        _;
    }

    /// @notice Enables sessions. One with the validator, data and salt of another *is* that other: its actions and policies
    /// are added, and the counters of the policies named begin anew.
    function enableSessions(Session[] memory sessions) public returns (bytes32[] memory permissionIds) {
        if (sessions.length == 0) revert InvalidData();
        permissionIds = new bytes32[](sessions.length);
        for (uint256 i = 0; i < sessions.length; ++i) {
            bytes32 permissionId = SessionIds.permission(sessions[i]);
            _enable(msg.sender, permissionId, sessions[i]);
            emit SessionCreated(permissionId, msg.sender);
            permissionIds[i] = permissionId;
        }
    }

    /// @notice Removes a session. A grant that was signed and never used still brings it back: see
    /// {revokeEnableSignature}.
    function removeSession(bytes32 permissionId) external {
        if (permissionId == 0) revert InvalidSession(permissionId);
        _remove(msg.sender, permissionId);
    }

    /// @notice Makes every grant signed so far for this session worthless.
    function revokeEnableSignature(bytes32 permissionId) external {
        emit NonceIterated(permissionId, msg.sender, ++_nonces[permissionId][msg.sender]);
    }

    function setPermit4337Paymaster(bytes32 permissionId, bool enabled) external onlyEnabled(permissionId) {
        _setPermit(msg.sender, permissionId, enabled);
    }

    function enableActionPolicies(bytes32 permissionId, ActionData[] memory actions)
        external
        onlyEnabled(permissionId)
    {
        _enableActions(msg.sender, permissionId, actions);
    }

    function enableUserOpPolicies(bytes32 permissionId, PolicyData[] memory policies)
        external
        onlyEnabled(permissionId)
    {
        _enableUserOpPolicies(msg.sender, permissionId, policies);
    }

    function disableActionId(bytes32 permissionId, bytes32 actionId) external onlyEnabled(permissionId) {
        Permission storage permission = _permissions[permissionId][msg.sender];
        permission.actionPolicies[actionId].clear();
        permission.actionIds.remove(actionId);
        emit ActionIdDisabled(permissionId, actionId, msg.sender);
    }

    /// @notice Takes policies off an action. What is left decides alone: without its limiting policy beside an open one the
    /// session is wider; with none left the action is closed.
    function disableActionPolicies(bytes32 permissionId, bytes32 actionId, address[] calldata policies)
        external
        onlyEnabled(permissionId)
    {
        Permission storage permission = _permissions[permissionId][msg.sender];
        _disable(permissionId, PolicyType.ACTION, permission.actionPolicies[actionId], policies);
        if (permission.actionPolicies[actionId].length() == 0) permission.actionIds.remove(actionId);
    }

    function disableUserOpPolicies(bytes32 permissionId, address[] calldata policies)
        external
        onlyEnabled(permissionId)
    {
        _disable(
            permissionId, PolicyType.USER_OP, _permissions[permissionId][msg.sender].userOpPolicies, policies
        );
    }

    /// @dev Everything of a session but the event that only {enableSessions} has.
    function _enable(address account, bytes32 permissionId, Session memory session) internal {
        Permission storage permission = _permissions[permissionId][account];
        _enableUserOpPolicies(account, permissionId, session.userOpPolicies);
        _enablePolicies(
            account,
            permissionId,
            PolicyType.ERC1271,
            SessionIds.erc1271Config(account, permissionId),
            permission.erc1271Policies,
            session.erc7739Policies.erc1271Policies
        );
        _enableActions(account, permissionId, session.actions);
        _setPermit(account, permissionId, session.permitERC4337Paymaster);
        if (!_isSessionValidator(session.sessionValidator)) revert InvalidISessionValidator(session.sessionValidator);
        permission.validator = session.sessionValidator;
        permission.validatorData = session.sessionValidatorInitData;
        _permissionIds[account].add(permissionId);
        emit SessionValidatorEnabled(permissionId, session.sessionValidator, account);
    }

    function _remove(address account, bytes32 permissionId) internal {
        if (!_permissionIds[account].remove(permissionId)) return;
        Permission storage permission = _permissions[permissionId][account];
        permission.userOpPolicies.clear();
        permission.erc1271Policies.clear();
        bytes32[] memory actionIds = permission.actionIds.items;
        for (uint256 i = 0; i < actionIds.length; ++i) permission.actionPolicies[actionIds[i]].clear();
        permission.actionIds.clear();
        emit SessionValidatorDisabled(permissionId, permission.validator, account);
        delete permission.validator;
        delete permission.validatorData;
        delete permission.permitsPaymaster;
        emit SessionRemoved(permissionId, account);
    }

    function _enableActions(address account, bytes32 permissionId, ActionData[] memory actions) private {
        Permission storage permission = _permissions[permissionId][account];
        for (uint256 i = 0; i < actions.length; ++i) {
            address target = actions[i].actionTarget;
            if (target == address(0) || target == address(this)) revert InvalidActionId();
            bytes32 actionId = SessionIds.action(target, actions[i].actionTargetSelector);
            permission.actionIds.add(actionId);
            _enablePolicies(
                account,
                permissionId,
                PolicyType.ACTION,
                SessionIds.actionConfig(account, permissionId, actionId),
                permission.actionPolicies[actionId],
                actions[i].actionPolicies
            );
        }
    }

    function _enableUserOpPolicies(address account, bytes32 permissionId, PolicyData[] memory policies) private {
        _enablePolicies(
            account,
            permissionId,
            PolicyType.USER_OP,
            SessionIds.userOpConfig(account, permissionId),
            _permissions[permissionId][account].userOpPolicies,
            policies
        );
    }

    function _enablePolicies(
        address account,
        bytes32 permissionId,
        PolicyType policyType,
        bytes32 configId,
        Sets.Set storage enabled,
        PolicyData[] memory policies
    ) private {
        bytes4 needed = policyType == PolicyType.USER_OP
            ? type(IUserOpPolicy).interfaceId
            : policyType == PolicyType.ACTION ? type(IActionPolicy).interfaceId : type(I1271Policy).interfaceId;
        for (uint256 i = 0; i < policies.length; ++i) {
            address policy = policies[i].policy;
            if (!_answersYes(policy, abi.encodeCall(IERC165.supportsInterface, (needed)))) {
                revert UnsupportedPolicy(policy);
            }
            enabled.add(policy);
            IPolicy(policy).initializeWithMultiplexer(account, configId, policies[i].initData);
            emit PolicyEnabled(permissionId, policyType, policy, account);
        }
    }

    function _disable(
        bytes32 permissionId,
        PolicyType policyType,
        Sets.Set storage enabled,
        address[] calldata policies
    ) private {
        for (uint256 i = 0; i < policies.length; ++i) {
            if (enabled.remove(policies[i])) emit PolicyDisabled(permissionId, policyType, policies[i], msg.sender);
        }
    }

    function _setPermit(address account, bytes32 permissionId, bool enabled) private {
        _permissions[permissionId][account].permitsPaymaster = enabled;
        emit PermissionIdPermit4337Paymaster(permissionId, account, enabled);
    }

    function _isSessionValidator(address validator) private view returns (bool) {
        bytes memory question = abi.encodeCall(ISessionValidator.isModuleType, (ModuleTypes.STATELESS_VALIDATOR));
        return _answersYes(validator, question);
    }

    /// @dev No code, a revert and a short answer are all a no.
    function _answersYes(address who, bytes memory question) private view returns (bool) {
        (bool success, bytes memory answer) = who.staticcall(question);
        return success && answer.length >= 32 && uint256(bytes32(answer)) == 1;
    }
}

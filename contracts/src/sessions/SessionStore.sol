// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SessionHash} from "./SessionHash.sol";
import {ActionData, Mode, PolicyData, Session, SessionIds} from "./SessionTypes.sol";
import {Sets} from "./Sets.sol";

/// @notice What the module keeps of each account's sessions, and what may be asked of it.
abstract contract SessionStore {
    using Sets for Sets.Set;

    struct Permission {
        address validator;
        bytes validatorData;
        bool permitsPaymaster;
        Sets.Set userOpPolicies;
        Sets.Set erc1271Policies;
        Sets.Set actionIds;
        mapping(bytes32 actionId => Sets.Set) actionPolicies;
    }

    mapping(address account => Sets.Set) internal _permissionIds;
    mapping(bytes32 permissionId => mapping(address account => Permission)) internal _permissions;
    /// @dev Of grants; it outlives the session, or an old grant would bring it back.
    mapping(bytes32 permissionId => mapping(address account => uint256)) internal _nonces;

    function getPermissionId(Session calldata session) external pure returns (bytes32) {
        return SessionIds.permission(session);
    }

    function getSessionDigest(bytes32 permissionId, address account, Session calldata data, Mode mode)
        external
        view
        returns (bytes32)
    {
        return SessionHash.session(account, address(this), data, mode, _nonces[permissionId][account]);
    }

    function getPermissionIDs(address account) external view returns (bytes32[] memory) {
        return _permissionIds[account].items;
    }

    function isPermissionEnabled(bytes32 permissionId, address account) public view returns (bool) {
        return _permissionIds[account].contains(permissionId);
    }

    function isISessionValidatorSet(bytes32 permissionId, address account) external view returns (bool) {
        return _permissions[permissionId][account].validator != address(0);
    }

    function getSessionValidatorAndConfig(address account, bytes32 permissionId)
        external
        view
        returns (address validator, bytes memory data)
    {
        Permission storage permission = _permissions[permissionId][account];
        return (permission.validator, permission.validatorData);
    }

    function getNonce(bytes32 permissionId, address account) external view returns (uint256) {
        return _nonces[permissionId][account];
    }

    function getEnabledActions(address account, bytes32 permissionId) external view returns (bytes32[] memory) {
        return _permissions[permissionId][account].actionIds.items;
    }

    function isActionIdEnabled(address account, bytes32 permissionId, bytes32 actionId) external view returns (bool) {
        return _permissions[permissionId][account].actionIds.contains(actionId);
    }

    function getActionPolicies(address account, bytes32 permissionId, bytes32 actionId)
        external
        view
        returns (address[] memory)
    {
        return _permissions[permissionId][account].actionPolicies[actionId].addresses();
    }

    function isActionPolicyEnabled(address account, bytes32 permissionId, bytes32 actionId, address policy)
        external
        view
        returns (bool)
    {
        return _permissions[permissionId][account].actionPolicies[actionId].contains(policy);
    }

    function areActionsEnabled(address account, bytes32 permissionId, ActionData[] calldata actions)
        external
        view
        returns (bool)
    {
        Permission storage permission = _permissions[permissionId][account];
        for (uint256 i = 0; i < actions.length; ++i) {
            bytes32 actionId = SessionIds.action(actions[i].actionTarget, actions[i].actionTargetSelector);
            if (!permission.actionIds.contains(actionId)) return false;
            if (!_areEnabled(permission.actionPolicies[actionId], actions[i].actionPolicies)) return false;
        }
        return true;
    }

    function getUserOpPolicies(address account, bytes32 permissionId) external view returns (address[] memory) {
        return _permissions[permissionId][account].userOpPolicies.addresses();
    }

    function isUserOpPolicyEnabled(address account, bytes32 permissionId, address policy)
        external
        view
        returns (bool)
    {
        return _permissions[permissionId][account].userOpPolicies.contains(policy);
    }

    function areUserOpPoliciesEnabled(address account, bytes32 permissionId, PolicyData[] calldata policies)
        external
        view
        returns (bool)
    {
        return _areEnabled(_permissions[permissionId][account].userOpPolicies, policies);
    }

    function getERC1271Policies(address account, bytes32 permissionId) external view returns (address[] memory) {
        return _permissions[permissionId][account].erc1271Policies.addresses();
    }

    function isERC1271PolicyEnabled(address account, bytes32 permissionId, address policy)
        external
        view
        returns (bool)
    {
        return _permissions[permissionId][account].erc1271Policies.contains(policy);
    }

    function _areEnabled(Sets.Set storage enabled, PolicyData[] calldata policies) private view returns (bool) {
        for (uint256 i = 0; i < policies.length; ++i) {
            if (!enabled.contains(policies[i].policy)) return false;
        }
        return true;
    }
}

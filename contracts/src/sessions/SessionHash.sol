// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ActionData,
    ChainDigest,
    ERC7739Context,
    ERC7739Data,
    Mode,
    PolicyData,
    Session,
    SessionIds
} from "./SessionTypes.sol";

/// @notice EIP-712 hashes of a grant. One grant may hold sessions of several chains, so its domain names neither a chain
/// nor a contract.
library SessionHash {
    bytes private constant POLICY = "PolicyData(address policy,bytes initData)";
    bytes private constant ACTION =
        "ActionData(bytes4 actionTargetSelector,address actionTarget,PolicyData[] actionPolicies)";
    bytes private constant CONTEXT = "ERC7739Context(bytes32 appDomainSeparator,string[] contentName)";
    bytes private constant CONTENT =
        "ERC7739Data(ERC7739Context[] allowedERC7739Content,PolicyData[] erc1271Policies)";
    bytes private constant PERMISSIONS =
        "SignedPermissions(bool permitGenericPolicy,bool permitAdminAccess,bool ignoreSecurityAttestations,bool permitERC4337Paymaster,PolicyData[] userOpPolicies,ERC7739Data erc7739Policies,ActionData[] actions)";
    bytes private constant SESSION =
        "SignedSession(address account,SignedPermissions permissions,address sessionValidator,bytes sessionValidatorInitData,bytes32 salt,address smartSession,uint256 nonce)";
    bytes private constant CHAIN_SESSION = "ChainSession(uint64 chainId,SignedSession session)";
    bytes private constant MULTI_CHAIN_SESSION = "MultiChainSession(ChainSession[] sessionsAndChainIds)";

    /// @notice What the account signs: the digests of all chains.
    function grant(ChainDigest[] memory digests) internal pure returns (bytes32) {
        bytes32 chainType =
            keccak256(bytes.concat(CHAIN_SESSION, ACTION, CONTEXT, CONTENT, POLICY, PERMISSIONS, SESSION));
        bytes32[] memory hashes = new bytes32[](digests.length);
        for (uint256 i = 0; i < digests.length; ++i) {
            hashes[i] = keccak256(abi.encode(chainType, digests[i].chainId, digests[i].sessionDigest));
        }
        bytes32 multiType = keccak256(
            bytes.concat(MULTI_CHAIN_SESSION, ACTION, CHAIN_SESSION, CONTEXT, CONTENT, POLICY, PERMISSIONS, SESSION)
        );
        bytes32 struct_ = keccak256(abi.encode(multiType, _list(hashes)));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version)"), keccak256("SmartSession"), keccak256("1")
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, struct_));
    }

    /// @notice One chain's part: the session for `account` under the module's `nonce`.
    function session(address account, address smartSession, Session memory data, Mode mode, uint256 nonce)
        internal
        pure
        returns (bytes32)
    {
        bytes32 sessionType = keccak256(bytes.concat(SESSION, ACTION, CONTEXT, CONTENT, POLICY, PERMISSIONS));
        return keccak256(
            abi.encode(
                sessionType,
                account,
                _permissions(data, mode),
                data.sessionValidator,
                keccak256(data.sessionValidatorInitData),
                data.salt,
                smartSession,
                nonce
            )
        );
    }

    /// @dev The first two flags follow from the actions, so that a person is shown what the fallbacks open.
    function _permissions(Session memory data, Mode mode) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(bytes.concat(PERMISSIONS, ACTION, CONTEXT, CONTENT, POLICY)),
                _hasFallback(data.actions, SessionIds.GENERIC_FALLBACK),
                _hasFallback(data.actions, SessionIds.ADMINISTRATION_FALLBACK),
                mode == Mode.UNSAFE_ENABLE,
                data.permitERC4337Paymaster,
                _policies(data.userOpPolicies),
                _content(data.erc7739Policies),
                _actions(data.actions)
            )
        );
    }

    function _hasFallback(ActionData[] memory actions, bytes4 selector) private pure returns (bool) {
        for (uint256 i = 0; i < actions.length; ++i) {
            if (
                actions[i].actionTarget == SessionIds.FALLBACK_TARGET && actions[i].actionTargetSelector == selector
            ) return true;
        }
        return false;
    }

    function _actions(ActionData[] memory actions) private pure returns (bytes32) {
        bytes32 actionType = keccak256(bytes.concat(ACTION, POLICY));
        bytes32[] memory hashes = new bytes32[](actions.length);
        for (uint256 i = 0; i < actions.length; ++i) {
            ActionData memory action = actions[i];
            hashes[i] = keccak256(
                abi.encode(
                    actionType, action.actionTargetSelector, action.actionTarget, _policies(action.actionPolicies)
                )
            );
        }
        return _list(hashes);
    }

    function _policies(PolicyData[] memory policies) private pure returns (bytes32) {
        bytes32 policyType = keccak256(POLICY);
        bytes32[] memory hashes = new bytes32[](policies.length);
        for (uint256 i = 0; i < policies.length; ++i) {
            hashes[i] = keccak256(abi.encode(policyType, policies[i].policy, keccak256(policies[i].initData)));
        }
        return _list(hashes);
    }

    function _content(ERC7739Data memory data) private pure returns (bytes32) {
        bytes32 contextType = keccak256(CONTEXT);
        bytes32[] memory hashes = new bytes32[](data.allowedERC7739Content.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            ERC7739Context memory context = data.allowedERC7739Content[i];
            bytes32[] memory names = new bytes32[](context.contentNames.length);
            for (uint256 j = 0; j < names.length; ++j) names[j] = keccak256(bytes(context.contentNames[j]));
            hashes[i] = keccak256(abi.encode(contextType, context.appDomainSeparator, _list(names)));
        }
        bytes32 contentType = keccak256(bytes.concat(CONTENT, CONTEXT, POLICY));
        return keccak256(abi.encode(contentType, _list(hashes), _policies(data.erc1271Policies)));
    }

    function _list(bytes32[] memory hashes) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hashes));
    }
}

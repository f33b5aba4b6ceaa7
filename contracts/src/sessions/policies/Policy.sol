// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {I1271Policy, IActionPolicy, IERC165, IPolicy, IUserOpPolicy} from "../SessionInterfaces.sol";

/// @notice What all policies share. State is kept by configuration, by who asks (the session module) and by account, so
/// nobody can spend the counters of another module.
abstract contract Policy is IERC165, IPolicy {
    uint256 internal constant ACCEPTED = 0;
    uint256 internal constant REFUSED = 1;

    error PolicyNotInitialized(bytes32 id, address multiplexer, address account);

    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IPolicy).interfaceId
            || interfaceId == type(IActionPolicy).interfaceId
            || (interfaceId == type(IUserOpPolicy).interfaceId && _judgesUserOps())
            || (interfaceId == type(I1271Policy).interfaceId && _judgesMessages());
    }

    function _judgesUserOps() internal pure virtual returns (bool) {
        return false;
    }

    function _judgesMessages() internal pure virtual returns (bool) {
        return false;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The enabled modules as a singly linked ring: sentinel -> newest -> ... -> oldest -> sentinel.
abstract contract ModuleList {
    /// @dev Head and end of the ring.
    address internal constant SENTINEL = address(1);

    mapping(address => address) private _next;

    event EnabledModule(address module);
    event DisabledModule(address module);

    error AlreadyInitialized();
    error ModuleCannotBeZeroOrSentinel(address module);
    error ModuleAlreadyEnabled(address module);
    error ModuleAndPrevModuleMismatch(address expectedModule, address returnedModule, address prevModule);
    error CanNotDisableOnlyModule(address module);

    /// @notice Whether `module` may validate for this account.
    function isModuleEnabled(address module) public view returns (bool) {
        return module != SENTINEL && _next[module] != address(0);
    }

    /// @notice Up to `size` modules behind `start` (the sentinel for all), and where the next page starts.
    function getModulesPaginated(address start, uint256 size)
        external
        view
        returns (address[] memory modules, address next)
    {
        modules = new address[](size);
        uint256 found = 0;
        next = _next[start];
        while (found < size && next != SENTINEL && next != address(0)) {
            modules[found++] = next;
            next = _next[next];
        }
        assembly ("memory-safe") {
            mstore(modules, found)
        }
    }

    /// @dev Makes the ring out of its first module; an account has exactly one chance.
    function _initModules(address first) internal {
        if (_next[SENTINEL] != address(0)) revert AlreadyInitialized();
        _requireUsable(first);
        _next[SENTINEL] = first;
        _next[first] = SENTINEL;
    }

    /// @dev Closes the ring around nothing, so that the implementation itself can never be initialised.
    function _lockModules() internal {
        _next[SENTINEL] = SENTINEL;
    }

    function _modulesInitialized() internal view returns (bool) {
        return _next[SENTINEL] != address(0);
    }

    function _enableModule(address module) internal {
        _requireUsable(module);
        if (_next[module] != address(0)) revert ModuleAlreadyEnabled(module);
        _next[module] = _next[SENTINEL];
        _next[SENTINEL] = module;
        emit EnabledModule(module);
    }

    function _disableModule(address previous, address module) internal {
        _requireUsable(module);
        // A module that is not enabled has no previous one either.
        if (_next[previous] != module) revert ModuleAndPrevModuleMismatch(module, _next[previous], previous);
        if (previous == SENTINEL && _next[module] == SENTINEL) revert CanNotDisableOnlyModule(module);
        _next[previous] = _next[module];
        delete _next[module];
        emit DisabledModule(module);
    }

    function _requireUsable(address module) private pure {
        if (module == address(0) || module == SENTINEL) revert ModuleCannotBeZeroOrSentinel(module);
    }
}

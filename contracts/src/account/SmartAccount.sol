// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IEntryPoint, IValidationModule} from "../common/Interfaces.sol";
import {UserOperation} from "../common/UserOperation.sol";
import {ModuleList} from "./ModuleList.sol";

/// @notice Account implementation: executes for the EntryPoint, lets the module named in the signature validate.
/// @dev Proxies delegate to it; it keeps no owner of its own, modules do.
contract SmartAccount is ModuleList {
    string public constant VERSION = "2.0.0";

    /// @dev Where a proxy keeps its fallback handler.
    bytes32 private constant HANDLER_SLOT = keccak256("use-aa.smart-account.fallback-handler");

    IEntryPoint public immutable entryPoint;

    event ChangedFallbackHandler(address indexed previousHandler, address indexed handler);

    error CallerIsNotEntryPoint(address caller);
    error CallerIsNotEntryPointOrSelf(address caller);
    error CallerIsNotAnEntryPoint(address caller);
    error WrongValidationModule(address module);
    error WrongBatchProvided(
        uint256 destinationLength, uint256 valueLength, uint256 dataLength, uint256 operationLength
    );

    modifier onlyEntryPoint() {
        if (msg.sender != address(entryPoint)) revert CallerIsNotEntryPoint(msg.sender);
        _;
    }

    modifier onlyEntryPointOrSelf() {
        if (msg.sender != address(entryPoint) && msg.sender != address(this)) {
            revert CallerIsNotEntryPointOrSelf(msg.sender);
        }
        _;
    }

    constructor(IEntryPoint entryPoint_) {
        entryPoint = entryPoint_;
        _lockModules();
    }

    receive() external payable {}

    /// @dev Everything unknown goes to the handler, with the caller's address appended; no handler, no answer.
    fallback() external payable {
        address handler = getFallbackHandler();
        if (handler == address(0)) return;
        assembly {
            calldatacopy(0, 0, calldatasize())
            mstore(calldatasize(), shl(96, caller()))
            let success := call(gas(), handler, 0, 0, add(calldatasize(), 20), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(success) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }

    /// @notice Sets the account up, once: the setup contract answers with the first module.
    function init(address handler, address setupContract, bytes calldata setupData) external returns (address module) {
        if (_modulesInitialized()) revert AlreadyInitialized();
        _setFallbackHandler(handler);
        module = _setupModule(setupContract, setupData);
        _initModules(module);
    }

    /// @notice One call. The odd name makes the selector 0x0000189a, cheaper in call data.
    function execute_ncC(address to, uint256 value, bytes calldata data) external onlyEntryPoint {
        _execute(to, value, data);
    }

    /// @notice Twin of `execute_ncC` under its plain name.
    function execute(address to, uint256 value, bytes calldata data) external onlyEntryPoint {
        _execute(to, value, data);
    }

    /// @notice Several calls, all or nothing. Selector 0x00004680.
    function executeBatch_y6U(address[] calldata to, uint256[] calldata value, bytes[] calldata data)
        external
        onlyEntryPoint
    {
        _executeBatch(to, value, data);
    }

    /// @notice Twin of `executeBatch_y6U` under its plain name.
    function executeBatch(address[] calldata to, uint256[] calldata value, bytes[] calldata data)
        external
        onlyEntryPoint
    {
        _executeBatch(to, value, data);
    }

    /// @notice Lets `module` validate from now on.
    function enableModule(address module) external onlyEntryPointOrSelf {
        _enableModule(module);
    }

    /// @notice Runs a setup call and enables the module that it answers with.
    function setupAndEnableModule(address setupContract, bytes calldata setupData)
        external
        onlyEntryPointOrSelf
        returns (address module)
    {
        module = _setupModule(setupContract, setupData);
        _enableModule(module);
    }

    /// @notice Takes `module` out of the ring; `previous` is the one before it.
    function disableModule(address previous, address module) external onlyEntryPointOrSelf {
        _disableModule(previous, module);
    }

    /// @notice Changes who answers unknown calls.
    function setFallbackHandler(address handler) external onlyEntryPointOrSelf {
        _setFallbackHandler(handler);
    }

    /// @notice EntryPoint's question: decodes `(bytes moduleSignature, address module)` and passes it on.
    function validateUserOp(UserOperation calldata userOp, bytes32 userOpHash, uint256 missingAccountFunds)
        external
        returns (uint256 validationData)
    {
        if (msg.sender != address(entryPoint)) revert CallerIsNotAnEntryPoint(msg.sender);
        (, address module) = abi.decode(userOp.signature, (bytes, address));
        if (!isModuleEnabled(module)) revert WrongValidationModule(module);
        validationData = IValidationModule(module).validateUserOp(userOp, userOpHash);
        if (missingAccountFunds != 0) {
            // The EntryPoint checks by itself whether it was paid.
            assembly ("memory-safe") {
                pop(call(gas(), caller(), missingAccountFunds, 0, 0, 0, 0))
            }
        }
    }

    /// @notice ERC-1271, answered by the module that the signature names.
    function isValidSignature(bytes32 dataHash, bytes calldata signature) external view returns (bytes4) {
        (bytes memory moduleSignature, address module) = abi.decode(signature, (bytes, address));
        if (!isModuleEnabled(module)) revert WrongValidationModule(module);
        return IValidationModule(module).isValidSignature(dataHash, moduleSignature);
    }

    /// @notice Next nonce in lane `key`.
    function nonce(uint192 key) external view returns (uint256) {
        return entryPoint.getNonce(address(this), key);
    }

    /// @notice Who answers unknown calls.
    function getFallbackHandler() public view returns (address handler) {
        bytes32 slot = HANDLER_SLOT;
        assembly ("memory-safe") {
            handler := sload(slot)
        }
    }

    function _setFallbackHandler(address handler) private {
        emit ChangedFallbackHandler(getFallbackHandler(), handler);
        bytes32 slot = HANDLER_SLOT;
        assembly ("memory-safe") {
            sstore(slot, handler)
        }
    }

    function _execute(address to, uint256 value, bytes calldata data) private {
        (bool success, bytes memory answer) = to.call{value: value}(data);
        if (!success) _bubble(answer);
    }

    function _executeBatch(address[] calldata to, uint256[] calldata value, bytes[] calldata data) private {
        if (to.length == 0 || to.length != value.length || to.length != data.length) {
            revert WrongBatchProvided(to.length, value.length, data.length, 0);
        }
        for (uint256 i = 0; i < to.length; ++i) {
            _execute(to[i], value[i], data[i]);
        }
    }

    function _setupModule(address setupContract, bytes calldata setupData) private returns (address) {
        require(setupContract != address(0), "Wrong Module Setup Address");
        (bool success, bytes memory answer) = setupContract.call(setupData);
        if (!success) _bubble(answer);
        return abi.decode(answer, (address));
    }

    function _bubble(bytes memory answer) private pure {
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }
}

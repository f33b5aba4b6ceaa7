// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FallbackHandler} from "./FallbackHandler.sol";
import {SmartAccount} from "./SmartAccount.sol";

/// @notice Deploys account proxies at addresses that are known beforehand.
contract SmartAccountFactory {
    /// @dev Creation code of the public account proxy: its constructor takes the implementation's address and keeps it
    /// in the storage slot whose number is the proxy's own address; its runtime code delegates every call there.
    /// Not compiled here on purpose: the same bytes give the same account addresses as on public chains
    /// (keccak256 0xb9231a15257f6be69c9afc3df98ae82ab64da5e3e39b8364f52eebaab321342c).
    bytes private constant PROXY_CREATION_CODE =
        hex"6080346100aa57601f61012038819003918201601f19168301916001600160401b038311848410176100af578084926020946040528339810103126100aa57516001600160a01b0381168082036100aa5715610065573055604051605a90816100c68239f35b60405162461bcd60e51b815260206004820152601e60248201527f496e76616c696420696d706c656d656e746174696f6e206164647265737300006044820152606490fd5b600080fd5b634e487b7160e01b600052604160045260246000fdfe608060405230546000808092368280378136915af43d82803e156020573d90f35b3d90fdfea2646970667358221220a03b18dce0be0b4c9afe58a9eb85c35205e2cf087da098bbf1d23945bf89496064736f6c63430008110033";

    address public immutable basicImplementation;
    /// @notice The fallback handler of all accounts: the first contract that this one creates.
    FallbackHandler public immutable minimalHandler;

    event AccountCreation(address indexed account, address indexed initialAuthModule, uint256 indexed index);

    error ImplementationCannotBeZero();

    constructor(address implementation) {
        if (implementation == address(0)) revert ImplementationCannotBeZero();
        basicImplementation = implementation;
        minimalHandler = new FallbackHandler();
    }

    /// @notice Deploys the account of `module` with `setupData` and `index`, and sets it up.
    function deployCounterFactualAccount(address module, bytes calldata setupData, uint256 index)
        external
        returns (address proxy)
    {
        bytes memory initializer = _initializer(module, setupData);
        bytes32 salt = _salt(initializer, index);
        bytes memory creationCode = _creationCode();
        assembly ("memory-safe") {
            proxy := create2(0, add(creationCode, 32), mload(creationCode), salt)
        }
        require(proxy != address(0), "Create2 call failed");
        (bool success, bytes memory answer) = proxy.call(initializer);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        emit AccountCreation(proxy, module, index);
    }

    /// @notice Where that account is, or will be.
    function getAddressForCounterFactualAccount(address module, bytes calldata setupData, uint256 index)
        external
        view
        returns (address)
    {
        bytes32 salt = _salt(_initializer(module, setupData), index);
        return address(
            uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), salt, keccak256(_creationCode())))))
        );
    }

    /// @notice Creation code of the proxy, without the implementation word.
    function accountCreationCode() external pure returns (bytes memory) {
        return PROXY_CREATION_CODE;
    }

    function _initializer(address module, bytes calldata setupData) private view returns (bytes memory) {
        return abi.encodeCall(SmartAccount.init, (address(minimalHandler), module, setupData));
    }

    function _salt(bytes memory initializer, uint256 index) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(keccak256(initializer), index));
    }

    function _creationCode() private view returns (bytes memory) {
        return abi.encodePacked(PROXY_CREATION_CODE, uint256(uint160(basicImplementation)));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The account factory that Nexus publishes.
interface INexusAccountFactory {
    function createAccount(bytes calldata initData, bytes32 salt) external payable returns (address payable);
    function computeAccountAddress(bytes calldata initData, bytes32 salt) external view returns (address payable);
}

/// @notice The call of the bootstrap that installs one validator and names who attests modules.
interface INexusBootstrap {
    function initNexusWithSingleValidator(
        address validator,
        bytes calldata data,
        address registry,
        address[] calldata attesters,
        uint8 threshold
    ) external;
}

/// @notice Accounts by owner and index, as clients of the K1 factory ask for them: proxies of the real factory with the
/// owner validator alone. An account has the same address whether it is asked for here or there, salt = index.
contract NexusK1Factory {
    INexusAccountFactory public immutable factory;
    address public immutable bootstrap;
    address public immutable validator;

    error ZeroAddress();

    constructor(INexusAccountFactory factory_, address bootstrap_, address validator_) {
        if (address(factory_) == address(0) || bootstrap_ == address(0) || validator_ == address(0)) {
            revert ZeroAddress();
        }
        factory = factory_;
        bootstrap = bootstrap_;
        validator = validator_;
    }

    /// @notice Creates the account, or answers with the one that is there.
    function createAccount(address owner, uint256 index, address[] calldata attesters, uint8 threshold)
        external
        payable
        returns (address payable)
    {
        return factory.createAccount{value: msg.value}(_initData(owner, attesters, threshold), bytes32(index));
    }

    function computeAccountAddress(address owner, uint256 index, address[] calldata attesters, uint8 threshold)
        external
        view
        returns (address payable)
    {
        return factory.computeAccountAddress(_initData(owner, attesters, threshold), bytes32(index));
    }

    /// @dev No registry: there is none on the local chain, so attesters only change the address.
    function _initData(address owner, address[] calldata attesters, uint8 threshold)
        private
        view
        returns (bytes memory)
    {
        bytes memory call = abi.encodeCall(
            INexusBootstrap.initNexusWithSingleValidator,
            (validator, abi.encodePacked(owner), address(0), attesters, threshold)
        );
        return abi.encode(bootstrap, call);
    }
}

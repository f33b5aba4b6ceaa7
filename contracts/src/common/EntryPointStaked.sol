// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IEntryPoint} from "./Interfaces.sol";

/// @notice Owner and EntryPoint housekeeping that both paymasters share.
abstract contract EntryPointStaked {
    IEntryPoint public immutable entryPoint;
    address public owner;
    address public verifyingSigner;

    event VerifyingSignerChanged(address indexed oldSigner, address indexed newSigner);
    event OwnerChanged(address indexed oldOwner, address indexed newOwner);

    error CallerIsNotOwner(address caller);
    error ZeroAddress();

    modifier onlyOwner() {
        if (msg.sender != owner) revert CallerIsNotOwner(msg.sender);
        _;
    }

    modifier onlyEntryPoint() {
        require(msg.sender == address(entryPoint), "Sender not EntryPoint");
        _;
    }

    constructor(IEntryPoint entryPoint_, address owner_, address verifyingSigner_) {
        if (address(entryPoint_) == address(0) || owner_ == address(0) || verifyingSigner_ == address(0)) {
            revert ZeroAddress();
        }
        entryPoint = entryPoint_;
        owner = owner_;
        verifyingSigner = verifyingSigner_;
    }

    /// @notice Hands the contract over.
    function transferOwnership(address newOwner) external onlyOwner {
        if (newOwner == address(0)) revert ZeroAddress();
        emit OwnerChanged(owner, newOwner);
        owner = newOwner;
    }

    /// @notice Changes the key whose signature makes this paymaster pay.
    function setSigner(address newSigner) external onlyOwner {
        if (newSigner == address(0)) revert ZeroAddress();
        emit VerifyingSignerChanged(verifyingSigner, newSigner);
        verifyingSigner = newSigner;
    }

    /// @notice Locks the sent ether as stake.
    function addStake(uint32 unstakeDelaySeconds) external payable onlyOwner {
        entryPoint.addStake{value: msg.value}(unstakeDelaySeconds);
    }

    /// @notice Begins the withdrawal of the stake.
    function unlockStake() external onlyOwner {
        entryPoint.unlockStake();
    }

    /// @notice Ends the withdrawal of the stake.
    function withdrawStake(address payable to) external onlyOwner {
        entryPoint.withdrawStake(to);
    }

    /// @notice Wei that the EntryPoint holds for this paymaster.
    function getDeposit() external view returns (uint256) {
        return entryPoint.balanceOf(address(this));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EntryPointStaked} from "../common/EntryPointStaked.sol";
import {IEntryPoint} from "../common/Interfaces.sol";
import {PackedPaymasterFields, PackedUserOperation} from "../common/PackedUserOperation.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {ValidationData} from "../common/UserOperation.sol";

/// @notice Pays on EntryPoint v0.7, out of its own deposit, for operations that the verifying signer vouched for.
/// @dev paymasterData: abi(uint48 validUntil, uint48 validAfter)(64) | signature(64 compact, or 65).
contract VerifyingPaymasterV07 is EntryPointStaked {
    uint256 private constant SIGNATURE_OFFSET = 64;

    constructor(IEntryPoint entryPoint_, address owner_, address verifyingSigner_)
        EntryPointStaked(entryPoint_, owner_, verifyingSigner_)
    {}

    /// @notice Adds the sent ether to what the EntryPoint holds for this paymaster.
    function deposit() external payable {
        entryPoint.depositTo{value: msg.value}(address(this));
    }

    /// @notice Takes ether back from the EntryPoint.
    function withdrawTo(address payable to, uint256 amount) external onlyOwner {
        entryPoint.withdrawTo(to, amount);
    }

    /// @notice EntryPoint's question: signed by the verifying signer? No context: there is nothing to do afterwards.
    function validatePaymasterUserOp(PackedUserOperation calldata userOp, bytes32, uint256)
        external
        view
        onlyEntryPoint
        returns (bytes memory context, uint256 validationData)
    {
        (uint48 validUntil, uint48 validAfter, bytes calldata signature) =
            parsePaymasterAndData(userOp.paymasterAndData);
        require(
            signature.length == 64 || signature.length == 65,
            "VerifyingPaymaster: invalid signature length in paymasterAndData"
        );
        address signer = Secp256k1.recoverPersonal(getHash(userOp, validUntil, validAfter), _expanded(signature));
        return ("", ValidationData.pack(signer == verifyingSigner, validUntil, validAfter));
    }

    /// @notice What the verifying signer signs, as `personal_sign`.
    function getHash(PackedUserOperation calldata userOp, uint48 validUntil, uint48 validAfter)
        public
        view
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(
                PackedPaymasterFields.pack(userOp), abi.encode(block.chainid, address(this), validUntil, validAfter)
            )
        );
    }

    /// @notice Takes the paymaster's field apart.
    function parsePaymasterAndData(bytes calldata paymasterAndData)
        public
        pure
        returns (uint48 validUntil, uint48 validAfter, bytes calldata signature)
    {
        bytes calldata data = paymasterAndData[PackedPaymasterFields.DATA_OFFSET:];
        (validUntil, validAfter) = abi.decode(data[:SIGNATURE_OFFSET], (uint48, uint48));
        signature = data[SIGNATURE_OFFSET:];
    }

    /// @dev r | s | v out of r | (parity bit, s), ERC-2098; 65 bytes stay as they are.
    function _expanded(bytes calldata signature) private pure returns (bytes memory) {
        if (signature.length == 65) return signature;
        uint256 vs = uint256(bytes32(signature[32:]));
        return abi.encodePacked(signature[:32], vs << 1 >> 1, uint8(27 + (vs >> 255)));
    }
}

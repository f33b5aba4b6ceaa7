// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Recovers the signer of a 65-byte `r | s | v` signature.
/// @dev The revert texts are those that deployed V2 modules give, since clients match on them.
library Secp256k1 {
    /// @dev Half of the curve's order; a larger `s` is the malleable twin of a valid signature.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Digest that `personal_sign` signs for a 32-byte message.
    function personalDigest(bytes32 message) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", message));
    }

    /// @notice Signer of `personal_sign(message)`.
    function recoverPersonal(bytes32 message, bytes memory signature) internal pure returns (address) {
        return recover(personalDigest(message), signature);
    }

    /// @notice Signer of `digest`, or zero for anything that is not a canonical signature: it never reverts, because
    /// estimation sends stubs of any shape.
    function tryRecover(bytes32 digest, bytes calldata signature) internal pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > HALF_ORDER) return address(0);
        // another v than 27 and 28 recovers nothing
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), s);
    }

    /// @notice Whether `signer` (never zero) made `signature`: over `hash` itself, or `personal_sign(hash)`.
    function signedBy(address signer, bytes32 hash, bytes calldata signature) internal pure returns (bool) {
        if (signer == address(0)) return false;
        return tryRecover(personalDigest(hash), signature) == signer || tryRecover(hash, signature) == signer;
    }

    /// @notice Signer of `digest`; reverts on anything that is not a canonical signature.
    function recover(bytes32 digest, bytes memory signature) internal pure returns (address signer) {
        require(signature.length == 65, "ECDSA: invalid signature length");
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
        require(uint256(s) <= HALF_ORDER, "ECDSA: invalid signature 's' value");
        signer = ecrecover(digest, v, r, s);
        require(signer != address(0), "ECDSA: invalid signature");
    }
}

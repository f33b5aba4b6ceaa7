// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Merkle proofs over sorted pairs: node = keccak(min(a, b) | max(a, b)).
library SortedMerkle {
    /// @notice Whether `proof` (siblings, bottom up) leads from `leaf` to `root`.
    function verify(bytes32[] memory proof, bytes32 root, bytes32 leaf) internal pure returns (bool) {
        bytes32 node = leaf;
        for (uint256 i = 0; i < proof.length; ++i) {
            bytes32 sibling = proof[i];
            node = node < sibling
                ? keccak256(abi.encodePacked(node, sibling))
                : keccak256(abi.encodePacked(sibling, node));
        }
        return node == root;
    }
}

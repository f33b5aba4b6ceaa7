// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Unpacks FastLZ, level 1: literals, and matches that repeat what was unpacked before.
library FastLz {
    /// @dev More than any session takes; a few bytes could otherwise unpack to all of the gas.
    uint256 private constant MOST = 128 * 1024;

    error MalformedCompression();

    /// @notice Unpacks `input`; refuses one that ends early, points before the start or unpacks to too much.
    function decompress(bytes calldata input) internal pure returns (bytes memory output) {
        bool malformed;
        // Writes beyond the end of memory in use, and takes it into use at the end. Whole words are copied, so up to 31
        // bytes after `out` hold rubbish, which the next copy overwrites.
        assembly ("memory-safe") {
            output := mload(0x40)
            let start := add(output, 32)
            let out := start
            let at := input.offset
            let end := add(at, input.length)
            for {} lt(at, end) {} {
                let control := byte(0, calldataload(at))
                let kind := shr(5, control)
                at := add(at, 1)
                if iszero(kind) {
                    let count := add(control, 1)
                    if gt(add(at, count), end) { malformed := 1 }
                    calldatacopy(out, at, count)
                    at := add(at, count)
                    out := add(out, count)
                }
                if kind {
                    let count := add(kind, 2)
                    if eq(kind, 7) {
                        count := add(byte(0, calldataload(at)), 9)
                        at := add(at, 1)
                    }
                    let distance := add(or(shl(8, and(control, 31)), byte(0, calldataload(at))), 1)
                    at := add(at, 1)
                    if or(gt(at, end), gt(distance, sub(out, start))) {
                        malformed := 1
                        break
                    }
                    let from := sub(out, distance)
                    switch distance
                    case 1 {
                        // a run of one byte: by far the most frequent, and the longest
                        let word := mul(byte(0, mload(from)), div(not(0), 255))
                        for { let i := 0 } lt(i, count) { i := add(i, 32) } { mstore(add(out, i), word) }
                    }
                    default {
                        // a step no longer than the distance reads only what is written
                        let step := distance
                        if gt(step, 32) { step := 32 }
                        for { let i := 0 } lt(i, count) { i := add(i, step) } {
                            mstore(add(out, i), mload(add(from, i)))
                        }
                    }
                    out := add(out, count)
                }
                if gt(sub(out, start), MOST) { malformed := 1 }
                if malformed { break }
            }
            mstore(output, sub(out, start))
            mstore(0x40, and(add(out, 63), not(31)))
        }
        if (malformed) revert MalformedCompression();
    }
}

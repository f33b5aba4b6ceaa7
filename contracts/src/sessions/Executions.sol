// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice One call that an account makes.
struct Execution {
    address target;
    uint256 value;
    bytes data;
}

/// @notice Reads ERC-7579's `execute(bytes32 mode, bytes executionCalldata)`.
library Executions {
    bytes4 internal constant EXECUTE = 0xe9ae5c53;
    bytes4 internal constant EXECUTE_USER_OP = 0x8dd7712f;
    bytes1 internal constant SINGLE = 0x00;
    bytes1 internal constant BATCH = 0x01;
    bytes1 internal constant REVERTING = 0x00;

    error DecodingError();

    /// @notice Kind of call, what happens when one fails, and the calls still packed.
    function parse(bytes calldata callData)
        internal
        pure
        returns (bytes1 callType, bytes1 execType, bytes memory packed)
    {
        bytes32 mode;
        (mode, packed) = abi.decode(callData[4:], (bytes32, bytes));
        callType = mode[0];
        execType = mode[1];
    }

    /// @notice target(20) | value(32) | data. `packed` is not to be read afterwards: its value becomes the data's length.
    function single(bytes memory packed) internal pure returns (Execution memory execution) {
        if (packed.length < 52) revert DecodingError();
        address target = address(bytes20(packed));
        uint256 value;
        bytes memory data;
        assembly ("memory-safe") {
            data := add(packed, 52)
            value := mload(data)
            mstore(data, sub(mload(packed), 52))
        }
        return Execution(target, value, data);
    }

    function batch(bytes memory packed) internal pure returns (Execution[] memory) {
        return abi.decode(packed, (Execution[]));
    }
}

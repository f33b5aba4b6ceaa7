//! What contracts see of entry point v0.6.
#![allow(missing_docs)]

alloy::sol! {
    /// ERC-4337 entry point v0.6, the parts that are read.
    #[derive(Debug, PartialEq, Eq)]
    interface IEntryPoint {
        struct Operation {
            address sender;
            uint256 nonce;
            bytes initCode;
            bytes callData;
            uint256 callGasLimit;
            uint256 verificationGasLimit;
            uint256 preVerificationGas;
            uint256 maxFeePerGas;
            uint256 maxPriorityFeePerGas;
            bytes paymasterAndData;
            bytes signature;
        }
        struct ReturnInfo {
            uint256 preOpGas;
            uint256 prefund;
            bool sigFailed;
            uint48 validAfter;
            uint48 validUntil;
            bytes paymasterContext;
        }
        struct StakeInfo { uint256 stake; uint256 unstakeDelaySec; }

        function getNonce(address sender, uint192 key) returns (uint256 nonce);
        /// Validates as an inclusion would, then always reverts: `ValidationResult` or `FailedOp`.
        function simulateValidation(Operation operation);
        /// Handles one operation as a bundle would, whatever its signature is worth, then calls `target`, then always
        /// reverts: `ExecutionResult` or `FailedOp`.
        function simulateHandleOp(Operation operation, address target, bytes targetCallData);

        /// What an account has there, wei.
        function balanceOf(address account) returns (uint256);
        function depositTo(address account) payable;
        /// Takes out of the caller's own deposit.
        function withdrawTo(address withdrawAddress, uint256 withdrawAmount);

        function handleOps(Operation[] operations, address beneficiary);

        error ValidationResult(ReturnInfo returnInfo, StakeInfo senderInfo, StakeInfo factoryInfo, StakeInfo paymasterInfo);
        error ExecutionResult(
            uint256 preOpGas, uint256 paid, uint48 validAfter, uint48 validUntil, bool targetSuccess, bytes targetResult
        );
        error FailedOp(uint256 opIndex, string reason);

        event UserOperationEvent(
            bytes32 indexed userOpHash, address indexed sender, address indexed paymaster,
            uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed
        );
        event UserOperationRevertReason(
            bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason
        );
    }
}

//! EntryPoint v0.7 and its paymasters, as vectors 15 and our contracts have them.
#![allow(missing_docs)]

alloy::sol! {
    /// A user operation as contracts see it.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct PackedUserOperation {
        address sender;
        uint256 nonce;
        bytes initCode;
        bytes callData;
        bytes32 accountGasLimits;
        uint256 preVerificationGas;
        bytes32 gasFees;
        bytes paymasterAndData;
        bytes signature;
    }

    /// ERC-4337 entry point v0.7, the parts that are read.
    #[derive(Debug, PartialEq, Eq)]
    interface IEntryPointV07 {
        function getNonce(address sender, uint192 key) returns (uint256 nonce);
        function getUserOpHash(PackedUserOperation userOp) returns (bytes32);
        function handleOps(PackedUserOperation[] ops, address beneficiary);
        /// What an account has there, wei.
        function balanceOf(address account) returns (uint256);
        function depositTo(address account) payable;
        /// Takes out of the caller's own deposit.
        function withdrawTo(address withdrawAddress, uint256 withdrawAmount);

        error FailedOp(uint256 opIndex, string reason);
        error FailedOpWithRevert(uint256 opIndex, string reason, bytes inner);
        error PostOpReverted(bytes returnData);
        error SignatureValidationFailed(address aggregator);
        error SenderAddressResult(address sender);
        error ReentrancyGuardReentrantCall();
        error DelegateAndRevert(bool success, bytes ret);

        event UserOperationEvent(
            bytes32 indexed userOpHash, address indexed sender, address indexed paymaster,
            uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed
        );
        event AccountDeployed(
            bytes32 indexed userOpHash, address indexed sender, address factory, address paymaster
        );
        event UserOperationRevertReason(
            bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason
        );
        event PostOpRevertReason(
            bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason
        );
        event UserOperationPrefundTooLow(bytes32 indexed userOpHash, address indexed sender, uint256 nonce);
        event BeforeExecution();
        event Deposited(address indexed account, uint256 totalDeposit);
    }

    /// Functions over whole operations: a validator's, a paymaster's, and a session policy's.
    #[derive(Debug, PartialEq, Eq)]
    interface IOverUserOperations {
        function validateUserOp(PackedUserOperation userOp, bytes32 userOpHash) returns (uint256);
        function validatePaymasterUserOp(PackedUserOperation userOp, bytes32 userOpHash, uint256 maxCost)
            returns (bytes context, uint256 validationData);
        function checkUserOpPolicy(bytes32 id, PackedUserOperation userOp) returns (uint256);
    }

    /// Head of a verifying paymaster's `paymasterData`.
    #[derive(Debug, PartialEq, Eq)]
    struct VerifyingPaymasterWindow {
        uint48 validUntil;
        uint48 validAfter;
    }

    /// What the token paymaster's data say about the price.
    #[derive(Debug, PartialEq, Eq)]
    struct TokenPaymasterTerms {
        uint48 validUntil;
        uint48 validAfter;
        address feeToken;
        uint256 exchangeRate;
        uint32 priceMarkup;
    }
    /// The verifying paymaster.
    #[derive(Debug, PartialEq, Eq)]
    interface IVerifyingPaymaster {
        function getHash(PackedUserOperation userOp, uint48 validUntil, uint48 validAfter) returns (bytes32);
    }

    /// The token paymaster (`contracts/src/paymasters/TokenPaymasterV07.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface ITokenPaymaster {
        function getHash(PackedUserOperation userOp, TokenPaymasterTerms terms) returns (bytes32);

        /// `totalCharge` is indexed, unlike most amounts.
        event TokenPaymasterOperation(
            address indexed sender, address indexed token, uint256 indexed totalCharge,
            uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate
        );
        event TokenRefundOwed(address indexed token, address indexed account, uint256 indexed amount);
    }
}

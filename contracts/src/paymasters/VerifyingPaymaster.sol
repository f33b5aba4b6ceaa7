// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EntryPointStaked} from "../common/EntryPointStaked.sol";
import {IEntryPoint} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {PaymasterFields, UserOperation, ValidationData} from "../common/UserOperation.sol";

/// @notice Pays for operations that the verifying signer vouched for, out of the deposit of a paymaster id.
/// @dev paymasterAndData: address(20) | abi(address paymasterId, uint48 validUntil, uint48 validAfter,
/// bytes signature).
contract VerifyingPaymaster is EntryPointStaked {
    string public constant VERSION = "1.1.0";

    /// @dev Gas that is charged for what the EntryPoint spends after it measured `actualGasCost`: `postOp` itself takes
    /// 4,600, the rest is margin.
    uint256 private constant POST_OP_OVERHEAD = 12_000;

    mapping(address paymasterId => uint256 balance) private _balances;

    event GasDeposited(address indexed paymasterId, uint256 indexed value);
    event GasWithdrawn(address indexed paymasterId, address indexed to, uint256 indexed value);
    event GasBalanceDeducted(address indexed paymasterId, uint256 indexed charge, bytes32 indexed userOpHash);

    error PaymasterIdCannotBeZero();
    error DepositCanNotBeZero();
    error InsufficientBalance(uint256 amountRequired, uint256 currentBalance);
    error InvalidPaymasterSignatureLength(uint256 sigLength);

    constructor(IEntryPoint entryPoint_, address owner_, address verifyingSigner_)
        EntryPointStaked(entryPoint_, owner_, verifyingSigner_)
    {}

    /// @notice Adds the sent ether to the balance of `paymasterId`.
    function depositFor(address paymasterId) external payable {
        if (paymasterId == address(0)) revert PaymasterIdCannotBeZero();
        if (msg.value == 0) revert DepositCanNotBeZero();
        _balances[paymasterId] += msg.value;
        entryPoint.depositTo{value: msg.value}(address(this));
        emit GasDeposited(paymasterId, msg.value);
    }

    /// @notice The caller takes from its own balance.
    function withdrawTo(address payable to, uint256 amount) external {
        uint256 balance = _balances[msg.sender];
        if (amount > balance) revert InsufficientBalance(amount, balance);
        _balances[msg.sender] = balance - amount;
        entryPoint.withdrawTo(to, amount);
        emit GasWithdrawn(msg.sender, to, amount);
    }

    /// @notice Wei left for `paymasterId`.
    function getBalance(address paymasterId) external view returns (uint256) {
        return _balances[paymasterId];
    }

    /// @notice EntryPoint's question: signed by the verifying signer, and enough left?
    /// @dev The most it may cost is set aside here and what was not used given back in `postOp`, so that operations
    /// of one bundle cannot spend the same balance twice. Enough is what the EntryPoint asks for, without the overhead.
    function validatePaymasterUserOp(UserOperation calldata userOp, bytes32 userOpHash, uint256 requiredPreFund)
        external
        onlyEntryPoint
        returns (bytes memory context, uint256 validationData)
    {
        (address paymasterId, uint48 validUntil, uint48 validAfter, bytes memory signature) =
            parsePaymasterAndData(userOp.paymasterAndData);
        if (signature.length != 65) revert InvalidPaymasterSignatureLength(signature.length);
        bytes32 hash = getHash(userOp, paymasterId, validUntil, validAfter);
        if (Secp256k1.recoverPersonal(hash, signature) != verifyingSigner) {
            return ("", ValidationData.pack(false, validUntil, validAfter));
        }
        uint256 balance = _balances[paymasterId];
        if (requiredPreFund > balance) revert InsufficientBalance(requiredPreFund, balance);
        uint256 reserved = requiredPreFund + POST_OP_OVERHEAD * userOp.maxFeePerGas;
        if (reserved > balance) reserved = balance;
        _balances[paymasterId] = balance - reserved;
        context = abi.encode(paymasterId, reserved, userOp.maxFeePerGas, userOp.maxPriorityFeePerGas, userOpHash);
        validationData = ValidationData.pack(true, validUntil, validAfter);
    }

    /// @notice Settles what was set aside against what it cost.
    function postOp(uint8, bytes calldata context, uint256 actualGasCost) external onlyEntryPoint {
        (address paymasterId, uint256 reserved, uint256 maxFee, uint256 maxPriorityFee, bytes32 userOpHash) =
            abi.decode(context, (address, uint256, uint256, uint256, bytes32));
        uint256 dynamicFee = block.basefee + maxPriorityFee;
        uint256 charge = actualGasCost + POST_OP_OVERHEAD * (maxFee < dynamicFee ? maxFee : dynamicFee);
        if (charge > reserved) charge = reserved;
        _balances[paymasterId] += reserved - charge;
        emit GasBalanceDeducted(paymasterId, charge, userOpHash);
    }

    /// @notice What the verifying signer signs, as `personal_sign`: everything but the account's signature.
    function getHash(UserOperation calldata userOp, address paymasterId, uint48 validUntil, uint48 validAfter)
        public
        view
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(
                PaymasterFields.pack(userOp),
                abi.encode(block.chainid, address(this), paymasterId, validUntil, validAfter)
            )
        );
    }

    /// @notice Takes the paymaster's field apart.
    function parsePaymasterAndData(bytes calldata paymasterAndData)
        public
        pure
        returns (address paymasterId, uint48 validUntil, uint48 validAfter, bytes memory signature)
    {
        return abi.decode(paymasterAndData[20:], (address, uint48, uint48, bytes));
    }
}

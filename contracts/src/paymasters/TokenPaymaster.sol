// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EntryPointStaked} from "../common/EntryPointStaked.sol";
import {IEntryPoint} from "../common/Interfaces.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {PaymasterFields, UserOperation, ValidationData} from "../common/UserOperation.sol";

/// @notice The part of ERC-20 that the charge needs.
interface IErc20 {
    function balanceOf(address owner) external view returns (uint256);
}

/// @notice Tells what one native token (1e18 wei) costs in base units of `token`.
interface IOracleAggregator {
    function getTokenValueOfOneNativeToken(address token) external view returns (uint256 exchangeRate);
}

/// @notice Pays the gas and takes the price in a token from the account, after the operation ran.
/// @dev paymasterAndData: address(20) | priceSource(1: 0 external rate, 1 oracle) | abi(uint48 validUntil,
/// uint48 validAfter, address feeToken, address oracleAggregator, uint256 exchangeRate, uint32 priceMarkup)(192) |
/// signature(65). The rate is in base units of the token per 1e18 wei, the markup in millionths (1e6 = none).
contract TokenPaymaster is EntryPointStaked {
    string public constant VERSION = "1.0.0";

    /// @dev Gas of `postOp` with its transfer, which `actualGasCost` does not contain.
    uint256 private constant UNACCOUNTED_GAS = 45_000;
    uint256 private constant MARKUP_UNIT = 1e6;
    uint256 private constant SIGNATURE_OFFSET = 213;
    uint256 private constant MAX_MARKUP = 2e6;
    uint256 private constant NATIVE_UNIT = 1e18;
    uint8 private constant PRICE_FROM_ORACLE = 1;
    uint8 private constant POST_OP_REVERTED = 2;

    /// @notice What the field says about the price.
    struct Terms {
        uint8 priceSource;
        uint48 validUntil;
        uint48 validAfter;
        address feeToken;
        address oracleAggregator;
        uint256 exchangeRate;
        uint32 priceMarkup;
    }

    /// @dev Handed from validation to `postOp`.
    struct Charge {
        address account;
        bytes32 userOpHash;
        uint256 maxFeePerGas;
        uint256 maxPriorityFeePerGas;
        Terms terms;
    }

    /// @notice Who gets the tokens.
    address public feeReceiver;

    event TokenPaymasterOperation(
        address indexed sender,
        address indexed token,
        uint256 indexed totalCharge,
        address oracleAggregator,
        uint32 priceMarkup,
        bytes32 userOpHash,
        uint256 exchangeRate,
        uint8 priceSource
    );
    event TokenPaymentDue(address indexed token, address indexed account, uint256 indexed charge);
    event FeeReceiverChanged(address indexed oldReceiver, address indexed newReceiver);

    constructor(IEntryPoint entryPoint_, address owner_, address verifyingSigner_)
        EntryPointStaked(entryPoint_, owner_, verifyingSigner_)
    {
        feeReceiver = address(this);
    }

    /// @notice Adds the sent ether to what the EntryPoint holds for this paymaster.
    function deposit() external payable {
        entryPoint.depositTo{value: msg.value}(address(this));
    }

    /// @notice Takes ether back from the EntryPoint.
    function withdrawTo(address payable to, uint256 amount) external onlyOwner {
        entryPoint.withdrawTo(to, amount);
    }

    /// @notice Takes collected tokens out.
    function withdrawERC20(address token, address to, uint256 amount) external onlyOwner {
        require(_transfer(token, abi.encodeWithSelector(0xa9059cbb, to, amount)), "TRANSFER_FAILED");
    }

    /// @notice Changes who gets the tokens from now on.
    function setFeeReceiver(address receiver) external onlyOwner {
        if (receiver == address(0)) revert ZeroAddress();
        emit FeeReceiverChanged(feeReceiver, receiver);
        feeReceiver = receiver;
    }

    /// @notice EntryPoint's question: signed by the verifying signer, terms in range, and can the account pay?
    function validatePaymasterUserOp(UserOperation calldata userOp, bytes32 userOpHash, uint256 requiredPreFund)
        external
        view
        onlyEntryPoint
        returns (bytes memory context, uint256 validationData)
    {
        require(userOp.verificationGasLimit > UNACCOUNTED_GAS, "BTPM: gas too low for postOp");
        (Terms memory terms, bytes calldata signature) = _parse(userOp.paymasterAndData);
        require(signature.length == 65, "BTPM: invalid signature length in paymasterAndData");
        if (Secp256k1.recoverPersonal(_hash(userOp, terms), signature) != verifyingSigner) {
            return ("", ValidationData.pack(false, terms.validUntil, terms.validAfter));
        }
        require(terms.priceMarkup <= MAX_MARKUP, "BTPM: price markup percentage too high");
        require(terms.priceMarkup >= MARKUP_UNIT, "BTPM: price markup percentage too low");
        uint256 most = _inTokens(requiredPreFund + UNACCOUNTED_GAS * userOp.maxFeePerGas, terms.exchangeRate, terms);
        require(most != 0, "BTPM: calculated token charge invalid");
        require(
            IErc20(terms.feeToken).balanceOf(userOp.sender) >= most,
            "BTPM: account does not have enough token balance"
        );
        context = abi.encode(
            Charge(userOp.sender, userOpHash, userOp.maxFeePerGas, userOp.maxPriorityFeePerGas, terms)
        );
        validationData = ValidationData.pack(true, terms.validUntil, terms.validAfter);
    }

    /// @notice Takes the charge. When that fails the EntryPoint undoes the operation and asks once more: then the
    /// debt is only recorded, since the gas is spent either way.
    function postOp(uint8 mode, bytes calldata context, uint256 actualGasCost) external onlyEntryPoint {
        Charge memory charge = abi.decode(context, (Charge));
        Terms memory terms = charge.terms;
        uint256 rate = _rate(terms);
        uint256 dynamicFee = block.basefee + charge.maxPriorityFeePerGas;
        uint256 gasPrice = charge.maxFeePerGas < dynamicFee ? charge.maxFeePerGas : dynamicFee;
        uint256 amount = _inTokens(actualGasCost + UNACCOUNTED_GAS * gasPrice, rate, terms);
        bytes memory call = abi.encodeWithSelector(0x23b872dd, charge.account, feeReceiver, amount);
        bool paid = _transfer(terms.feeToken, call);
        if (!paid) {
            require(mode == POST_OP_REVERTED, "TRANSFER_FROM_FAILED");
            emit TokenPaymentDue(terms.feeToken, charge.account, amount);
            return;
        }
        emit TokenPaymasterOperation(
            charge.account,
            terms.feeToken,
            amount,
            terms.oracleAggregator,
            terms.priceMarkup,
            charge.userOpHash,
            rate,
            terms.priceSource
        );
    }

    /// @notice What the verifying signer signs, as `personal_sign`: everything but the account's signature.
    function getHash(
        UserOperation calldata userOp,
        uint8 priceSource,
        uint48 validUntil,
        uint48 validAfter,
        address feeToken,
        address oracleAggregator,
        uint256 exchangeRate,
        uint32 priceMarkup
    ) external view returns (bytes32) {
        return _hash(
            userOp,
            Terms(priceSource, validUntil, validAfter, feeToken, oracleAggregator, exchangeRate, priceMarkup)
        );
    }

    /// @notice Takes the paymaster's field apart.
    function parsePaymasterAndData(bytes calldata paymasterAndData)
        external
        pure
        returns (Terms memory terms, bytes memory signature)
    {
        return _parse(paymasterAndData);
    }

    function _parse(bytes calldata paymasterAndData)
        private
        pure
        returns (Terms memory terms, bytes calldata signature)
    {
        require(paymasterAndData.length >= SIGNATURE_OFFSET, "BTPM: Invalid length for paymasterAndData");
        terms.priceSource = uint8(paymasterAndData[20]);
        (
            terms.validUntil,
            terms.validAfter,
            terms.feeToken,
            terms.oracleAggregator,
            terms.exchangeRate,
            terms.priceMarkup
        ) = abi.decode(paymasterAndData[21:SIGNATURE_OFFSET], (uint48, uint48, address, address, uint256, uint32));
        signature = paymasterAndData[SIGNATURE_OFFSET:];
    }

    function _hash(UserOperation calldata userOp, Terms memory terms) private view returns (bytes32) {
        // all members are static, so the struct encodes to its words in order
        return keccak256(bytes.concat(PaymasterFields.pack(userOp), abi.encode(block.chainid, address(this), terms)));
    }

    /// @dev The oracle's rate when it is asked for and answers, the signed one otherwise.
    function _rate(Terms memory terms) private view returns (uint256) {
        if (terms.priceSource != PRICE_FROM_ORACLE || terms.oracleAggregator.code.length == 0) {
            return terms.exchangeRate;
        }
        (bool success, bytes memory answer) = terms.oracleAggregator.staticcall(
            abi.encodeCall(IOracleAggregator.getTokenValueOfOneNativeToken, (terms.feeToken))
        );
        if (!success || answer.length < 32) return terms.exchangeRate;
        uint256 rate = abi.decode(answer, (uint256));
        return rate == 0 ? terms.exchangeRate : rate;
    }

    function _inTokens(uint256 wei_, uint256 rate, Terms memory terms) private pure returns (uint256) {
        return wei_ * rate / NATIVE_UNIT * terms.priceMarkup / MARKUP_UNIT;
    }

    /// @dev Tokens answer with true, with nothing, or not at all.
    function _transfer(address token, bytes memory call) private returns (bool) {
        (bool success, bytes memory answer) = token.call(call);
        return success && token.code.length != 0 && (answer.length == 0 || abi.decode(answer, (bool)));
    }
}

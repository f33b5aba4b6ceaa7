// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EntryPointStaked} from "../common/EntryPointStaked.sol";
import {IEntryPoint} from "../common/Interfaces.sol";
import {PackedPaymasterFields, PackedUserOperation} from "../common/PackedUserOperation.sol";
import {Secp256k1} from "../common/Secp256k1.sol";
import {ValidationData} from "../common/UserOperation.sol";

/// @notice Pays the gas on EntryPoint v0.7 and takes the price in a token from the account: the most it may cost while the
/// operation is validated, and what was not needed is given back in `postOp`. So an operation that fails pays, too.
/// @dev paymasterData: abi(uint48 validUntil, uint48 validAfter, address feeToken, uint256 exchangeRate,
/// uint32 priceMarkup)(160) | signature(65). The rate is in base units of the token per 1e18 wei, the markup in millionths
/// (1e6 = none). The account must have approved this contract before.
contract TokenPaymasterV07 is EntryPointStaked {
    /// @notice Least `paymasterPostOpGasLimit`: giving back takes about 45,000, and without it nothing comes back.
    uint256 public constant MIN_POST_OP_GAS = 60_000;

    uint256 private constant MARKUP_UNIT = 1e6;
    uint256 private constant MAX_MARKUP = 2e6;
    uint256 private constant NATIVE_UNIT = 1e18;
    uint256 private constant SIGNATURE_OFFSET = 160;
    bytes4 private constant TRANSFER = 0xa9059cbb;
    bytes4 private constant TRANSFER_FROM = 0x23b872dd;

    /// @notice What the field says about the price.
    struct Terms {
        uint48 validUntil;
        uint48 validAfter;
        address feeToken;
        uint256 exchangeRate;
        uint32 priceMarkup;
    }

    /// @dev Handed from validation to `postOp`.
    struct Charge {
        address account;
        bytes32 userOpHash;
        uint256 taken;
        uint256 maxCost;
        uint256 overhead;
        Terms terms;
    }

    /// @notice What could not be given back, to be fetched with {claim}.
    mapping(address token => mapping(address account => uint256 amount)) public owed;

    event TokenPaymasterOperation(
        address indexed sender,
        address indexed token,
        uint256 indexed totalCharge,
        uint32 priceMarkup,
        bytes32 userOpHash,
        uint256 exchangeRate
    );
    event TokenRefundOwed(address indexed token, address indexed account, uint256 indexed amount);

    error PostOpGasTooLow(uint256 limit, uint256 least);
    error PriceMarkupOutOfRange(uint32 priceMarkup);
    error NothingToCharge();
    error TokenPaymentRefused(address account, address token, uint256 amount);

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

    /// @notice Takes collected tokens out.
    function withdrawERC20(address token, address to, uint256 amount) external onlyOwner {
        require(_call(token, abi.encodeWithSelector(TRANSFER, to, amount)), "TRANSFER_FAILED");
    }

    /// @notice The caller fetches what could not be given back.
    function claim(address token) external {
        uint256 amount = owed[token][msg.sender];
        delete owed[token][msg.sender];
        require(_call(token, abi.encodeWithSelector(TRANSFER, msg.sender, amount)), "TRANSFER_FAILED");
    }

    /// @notice EntryPoint's question: terms in range, signed, and can the account pay? It pays the most right here.
    /// @dev The charge comes before the verdict on the signature: estimation has only a stub, and must see the gas that
    /// the charge takes. With a bad signature the EntryPoint undoes all of it.
    function validatePaymasterUserOp(PackedUserOperation calldata userOp, bytes32 userOpHash, uint256 maxCost)
        external
        onlyEntryPoint
        returns (bytes memory context, uint256 validationData)
    {
        uint256 postOpGasLimit = PackedPaymasterFields.postOpGasLimit(userOp);
        if (postOpGasLimit < MIN_POST_OP_GAS) revert PostOpGasTooLow(postOpGasLimit, MIN_POST_OP_GAS);
        (Terms memory terms, bytes calldata signature) = parsePaymasterAndData(userOp.paymasterAndData);
        if (terms.priceMarkup < MARKUP_UNIT || terms.priceMarkup > MAX_MARKUP) {
            revert PriceMarkupOutOfRange(terms.priceMarkup);
        }
        uint256 taken = _inTokens(maxCost, terms);
        if (taken == 0) revert NothingToCharge();
        if (!_call(terms.feeToken, abi.encodeWithSelector(TRANSFER_FROM, userOp.sender, address(this), taken))) {
            revert TokenPaymentRefused(userOp.sender, terms.feeToken, taken);
        }
        bool signed =
            Secp256k1.tryRecover(Secp256k1.personalDigest(getHash(userOp, terms)), signature) == verifyingSigner;
        // what the EntryPoint adds after `postOp` heard the cost: `postOp` itself, and a tenth of the gas that was asked for
        // and not used. Nobody can tell either here, so it is the most that they can be.
        uint256 callGasLimit = uint128(uint256(userOp.accountGasLimits));
        uint256 overhead = postOpGasLimit + (callGasLimit + postOpGasLimit) / 10;
        context = abi.encode(Charge(userOp.sender, userOpHash, taken, maxCost, overhead, terms));
        validationData = ValidationData.pack(signed, terms.validUntil, terms.validAfter);
    }

    /// @notice Gives back what was not needed.
    /// @dev Never reverts for the token's sake: that would undo an operation that is paid for.
    function postOp(uint8, bytes calldata context, uint256 actualGasCost, uint256 actualUserOpFeePerGas)
        external
        onlyEntryPoint
    {
        Charge memory charge = abi.decode(context, (Charge));
        uint256 cost = actualGasCost + charge.overhead * actualUserOpFeePerGas;
        uint256 price = cost < charge.maxCost ? _inTokens(cost, charge.terms) : charge.taken;
        uint256 rest = charge.taken - price;
        address token = charge.terms.feeToken;
        if (rest != 0 && !_call(token, abi.encodeWithSelector(TRANSFER, charge.account, rest))) {
            owed[token][charge.account] += rest;
            emit TokenRefundOwed(token, charge.account, rest);
        }
        emit TokenPaymasterOperation(
            charge.account, token, price, charge.terms.priceMarkup, charge.userOpHash, charge.terms.exchangeRate
        );
    }

    /// @notice What the verifying signer signs, as `personal_sign`: everything but its own signature and the account's.
    function getHash(PackedUserOperation calldata userOp, Terms memory terms) public view returns (bytes32) {
        // all members are static, so the struct encodes to its words in order
        return
            keccak256(bytes.concat(PackedPaymasterFields.pack(userOp), abi.encode(block.chainid, address(this), terms)));
    }

    /// @notice Takes the paymaster's field apart.
    function parsePaymasterAndData(bytes calldata paymasterAndData)
        public
        pure
        returns (Terms memory terms, bytes calldata signature)
    {
        bytes calldata data = paymasterAndData[PackedPaymasterFields.DATA_OFFSET:];
        terms = abi.decode(data[:SIGNATURE_OFFSET], (Terms));
        signature = data[SIGNATURE_OFFSET:];
    }

    function _inTokens(uint256 wei_, Terms memory terms) private pure returns (uint256) {
        return wei_ * terms.exchangeRate / NATIVE_UNIT * terms.priceMarkup / MARKUP_UNIT;
    }

    /// @dev Tokens answer with true, with nothing, or not at all.
    function _call(address token, bytes memory call) private returns (bool) {
        (bool success, bytes memory answer) = token.call(call);
        if (!success || token.code.length == 0) return false;
        return answer.length == 0 || (answer.length >= 32 && uint256(bytes32(answer)) == 1);
    }
}

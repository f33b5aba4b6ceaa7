//! Functions of published contracts: `cargo xtask functions` makes this of their ABIs and of published.txt.
//! Signatures and names are the packages'; what they mean is ours.

use super::{
    Amount::*,
    EACH,
    Effect::{self, *},
    PublishedFunction,
};

const fn f(selector: [u8; 4], declaration: &'static str, effects: &'static [Effect]) -> PublishedFunction {
    PublishedFunction { selector, declaration, effects }
}

/// By selector. Beside each the package, its version and the contract.
pub(super) const PUBLISHED: &[PublishedFunction] = &[
    // @openzeppelin/contracts 5.7.0, TimelockController
    f([0x01, 0xd5, 0x06, 0x2a], "schedule(address target,uint256 value,bytes data,bytes32 predecessor,bytes32 salt,uint256 delay)", &[Calls(&[&[0], &[1], &[2]])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x02, 0x75, 0x1c, 0xec], "removeLiquidityETH(address token,uint256 liquidity,uint256 amountTokenMin,uint256 amountETHMin,address to,uint256 deadline)", &[Leaves(Some(&[4]), Sum(&[1]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x04, 0xe4, 0x5a, 0xaf], "exactInputSingle((address tokenIn,address tokenOut,uint24 fee,address recipient,uint256 amountIn,uint256 amountOutMinimum,uint160 sqrtPriceLimitX96) params)", &[Swaps(&[0, 3], Sum(&[0, 4]))]),
    // @openzeppelin/contracts 5.7.0, IERC6909
    f([0x09, 0x5b, 0xcd, 0xb6], "transfer(address receiver,uint256 id,uint256 amount)", &[Leaves(Some(&[0]), Items(&[1], &[2]))]),
    // @openzeppelin/contracts 5.7.0, IERC20
    f([0x09, 0x5e, 0xa7, 0xb3], "approve(address spender,uint256 value)", &[Lends(&[0], Either(&[1]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x09, 0xb8, 0x13, 0x46], "exactOutput((bytes path,address recipient,uint256 amountOut,uint256 amountInMaximum) params)", &[Swaps(&[0, 1], Sum(&[0, 3]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x0d, 0x58, 0xb1, 0xdb], "transferFrom((address from,address to,uint160 amount,address token)[] transferDetails)", &[Leaves(Some(&[0, EACH, 1]), Sum(&[0, EACH, 2]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0x12, 0x96, 0xee, 0x62], "transferAndCall(address to,uint256 value)", &[Leaves(Some(&[0]), Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, TimelockController
    f([0x13, 0x40, 0x08, 0xd3], "execute(address target,uint256 value,bytes payload,bytes32 predecessor,bytes32 salt)", &[Calls(&[&[0], &[1], &[2]])]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x13, 0x7c, 0x29, 0xfe], "permitWitnessTransferFrom(((address token,uint256 amount) permitted,uint256 nonce,uint256 deadline) permit,(address to,uint256 requestedAmount) transferDetails,address owner,bytes32 witness,string witnessTypeString,bytes signature)", &[Leaves(Some(&[1, 0]), Sum(&[1, 1]))]),
    // @uniswap/v3-core 1.0.1, UniswapV3Factory
    f([0x13, 0xaf, 0x40, 0x35], "setOwner(address owner)", &[Controls(Some(&[0]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x18, 0xcb, 0xaf, 0xe5], "swapExactTokensForETH(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[0]))]),
    // @account-abstraction/contracts 0.6.0, SimpleAccount
    f([0x18, 0xdf, 0xb3, 0xc7], "executeBatch(address[] dest,bytes[] func)", &[Calls(&[&[0], &[1]])]),
    // @openzeppelin/contracts 5.7.0, AccessManager
    f([0x18, 0xff, 0x18, 0x3c], "updateAuthority(address target,address newAuthority)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 5.7.0, AccessManager
    f([0x1c, 0xff, 0x79, 0xcd], "execute(address target,bytes data)", &[Calls(&[&[0], &[1]])]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x1f, 0x04, 0x64, 0xd1], "multicall(bytes32 previousBlockhash,bytes[] data)", &[Calls(&[&[1]])]),
    // @openzeppelin/contracts 4.9.6, ERC1155PresetMinterPauser
    f([0x1f, 0x7f, 0xdf, 0xfa], "mintBatch(address to,uint256[] ids,uint256[] amounts,bytes data)", &[Gives(&[0])]),
    // @openzeppelin/contracts 5.7.0, ERC20Wrapper
    f([0x20, 0x5c, 0x28, 0x78], "withdrawTo(address account,uint256 value)", &[Leaves(Some(&[0]), Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, IERC20
    f([0x23, 0xb8, 0x72, 0xdd], "transferFrom(address from,address to,uint256 value)", &[Leaves(Some(&[1]), Either(&[2]))]),
    // @uniswap/universal-router 2.1.0, UniversalRouter
    f([0x24, 0x85, 0x6b, 0xc3], "execute(bytes commands,bytes[] inputs)", &[Calls(&[&[0], &[1]])]),
    // @openzeppelin/contracts 5.7.0, AccessManager
    f([0x25, 0xc4, 0x71, 0xa0], "grantRole(uint64 roleId,address account,uint32 executionDelay)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 4.9.6, IERC1820Registry
    f([0x29, 0x96, 0x5a, 0x1d], "setInterfaceImplementer(address account,bytes32 interfaceHash,address implementer)", &[Controls(Some(&[2]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x2a, 0x2d, 0x80, 0xd1], "permit(address owner,((address token,uint160 amount,uint48 expiration,uint48 nonce)[] details,address spender,uint256 sigDeadline) permitBatch,bytes signature)", &[Lends(&[1, 1], Sum(&[1, 0, EACH, 1]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x2b, 0x67, 0xb5, 0x70], "permit(address owner,((address token,uint160 amount,uint48 expiration,uint48 nonce) details,address spender,uint256 sigDeadline) permitSingle,bytes signature)", &[Lends(&[1, 1], Sum(&[1, 0, 1]))]),
    // @uniswap/v3-periphery 1.4.4, IWETH9
    f([0x2e, 0x1a, 0x7d, 0x4d], "withdraw(uint256)", &[]),
    // @openzeppelin/contracts 5.7.0, ERC1155Burnable
    f([0x2e, 0xb2, 0xc2, 0xd6], "safeBatchTransferFrom(address from,address to,uint256[] ids,uint256[] values,bytes data)", &[Leaves(Some(&[1]), Items(&[2, EACH], &[3, EACH]))]),
    // @openzeppelin/contracts 5.7.0, AccessControlDefaultAdminRules
    f([0x2f, 0x2f, 0xf1, 0x5d], "grantRole(bytes32 role,address account)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 5.7.0, ERC20Wrapper
    f([0x2f, 0x4f, 0x21, 0xe2], "depositFor(address account,uint256 value)", &[Swaps(&[0], Units(&[1]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x30, 0xf2, 0x8b, 0x7a], "permitTransferFrom(((address token,uint256 amount) permitted,uint256 nonce,uint256 deadline) permit,(address to,uint256 requestedAmount) transferDetails,address owner,bytes signature)", &[Leaves(Some(&[1, 0]), Sum(&[1, 1]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0x31, 0x77, 0x02, 0x9f], "approveAndCall(address spender,uint256 value)", &[Lends(&[0], Units(&[1]))]),
    // @uniswap/universal-router 2.1.0, UniversalRouter
    f([0x35, 0x93, 0x56, 0x4c], "execute(bytes commands,bytes[] inputs,uint256 deadline)", &[Calls(&[&[0], &[1]])]),
    // @openzeppelin/contracts 5.7.0, AccessControlDefaultAdminRules
    f([0x36, 0x56, 0x8a, 0xbe], "renounceRole(bytes32 role,address account)", &[]),
    // @openzeppelin/contracts 5.7.0, UpgradeableBeacon
    f([0x36, 0x59, 0xcf, 0xe6], "upgradeTo(address newImplementation)", &[Controls(Some(&[0]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x36, 0xc7, 0x85, 0x16], "transferFrom(address from,address to,uint160 amount,address token)", &[Leaves(Some(&[1]), Sum(&[2]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x38, 0xed, 0x17, 0x39], "swapExactTokensForTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[0]))]),
    // @openzeppelin/contracts 4.9.6, ERC20
    f([0x39, 0x50, 0x93, 0x51], "increaseAllowance(address spender,uint256 addedValue)", &[Lends(&[0], Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0x40, 0x00, 0xae, 0xa0], "transferAndCall(address to,uint256 value,bytes data)", &[Leaves(Some(&[0]), Units(&[1]))]),
    // @openzeppelin/contracts 4.9.6, ERC20PresetMinterPauser
    f([0x40, 0xc1, 0x0f, 0x19], "mint(address to,uint256 amount)", &[Gives(&[0])]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0x41, 0x4b, 0xf3, 0x89], "exactInputSingle((address tokenIn,address tokenOut,uint24 fee,address recipient,uint256 deadline,uint256 amountIn,uint256 amountOutMinimum,uint160 sqrtPriceLimitX96) params)", &[Swaps(&[0, 3], Sum(&[0, 5]))]),
    // @openzeppelin/contracts 5.7.0, IERC7674
    f([0x42, 0x23, 0x2a, 0x4c], "temporaryApprove(address spender,uint256 value)", &[Lends(&[0], Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, IERC6909
    f([0x42, 0x6a, 0x84, 0x93], "approve(address spender,uint256 id,uint256 amount)", &[Lends(&[0], Items(&[1], &[2]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x42, 0x71, 0x2a, 0x67], "swapTokensForExactTokens(uint256 amountOut,uint256 amountInMax,address[] path,address to)", &[Swaps(&[3], Sum(&[1]))]),
    // @openzeppelin/contracts 5.7.0, IERC721
    f([0x42, 0x84, 0x2e, 0x0e], "safeTransferFrom(address from,address to,uint256 tokenId)", &[Leaves(Some(&[1]), Item(&[2]))]),
    // @openzeppelin/contracts 5.7.0, ERC20Burnable
    f([0x42, 0x96, 0x6c, 0x68], "burn(uint256 value)", &[Leaves(None, Either(&[0]))]),
    // @uniswap/universal-router 2.1.0, UniversalRouter
    f([0x44, 0x68, 0x4d, 0xc3], "executeSigned(bytes commands,bytes[] inputs,bytes32 intent,bytes32 data,bool verifySender,bytes32 nonce,bytes signature,uint256 deadline)", &[Calls(&[&[0], &[1]])]),
    // @openzeppelin/contracts 4.9.6, MinimalForwarder
    f([0x47, 0x15, 0x3f, 0x82], "execute((address from,address to,uint256 value,uint256 gas,uint256 nonce,bytes data) req,bytes signature)", &[Calls(&[&[0]])]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x47, 0x2b, 0x43, 0xf3], "swapExactTokensForTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to)", &[Swaps(&[3], Sum(&[0]))]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0x49, 0x40, 0x4b, 0x7c], "unwrapWETH9(uint256 amountMinimum,address recipient)", &[Gives(&[1])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x4a, 0x25, 0xd9, 0x4a], "swapTokensForExactETH(uint256 amountOut,uint256 amountInMax,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[1]))]),
    // @account-abstraction/contracts 0.6.0, SimpleAccount
    f([0x4d, 0x44, 0x56, 0x0d], "withdrawDepositTo(address withdrawAddress,uint256 amount)", &[Leaves(Some(&[0]), Sum(&[1]))]),
    // @openzeppelin/contracts 4.9.6, ICompoundTimelock
    f([0x4d, 0xd1, 0x8b, 0xf5], "setPendingAdmin(address)", &[Controls(Some(&[0]))]),
    // @openzeppelin/contracts 5.7.0, UUPSUpgradeable
    f([0x4f, 0x1e, 0xf2, 0x86], "upgradeToAndCall(address newImplementation,bytes data)", &[Controls(Some(&[0])), Calls(&[&[1]])]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x50, 0x23, 0xb4, 0xdf], "exactOutputSingle((address tokenIn,address tokenOut,uint24 fee,address recipient,uint256 amountOut,uint256 amountInMaximum,uint160 sqrtPriceLimitX96) params)", &[Swaps(&[0, 3], Sum(&[0, 5]))]),
    // @openzeppelin/contracts 5.7.0, IERC6909
    f([0x55, 0x8a, 0x72, 0x97], "setOperator(address spender,bool approved)", &[Lends(&[0], AllIf(&[1]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0x5a, 0xe4, 0x01, 0xdc], "multicall(uint256 deadline,bytes[] data)", &[Calls(&[&[1]])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x5c, 0x11, 0xd7, 0x95], "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[0]))]),
    // @openzeppelin/contracts 4.9.6, IERC1820Registry
    f([0x5d, 0xf8, 0x12, 0x2f], "setManager(address account,address newManager)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0x62, 0xad, 0x1b, 0x83], "operatorSend(address sender,address recipient,uint256 amount,bytes data,bytes operatorData)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @openzeppelin/contracts 5.7.0, AccessControlDefaultAdminRules
    f([0x63, 0x4e, 0x93, 0xda], "beginDefaultAdminTransfer(address newAdmin)", &[Controls(Some(&[0]))]),
    // @chainlink/abi 0.1.4, LinkToken
    f([0x66, 0x18, 0x84, 0x63], "decreaseApproval(address spender,uint256 subtractedValue)", &[]),
    // @openzeppelin/contracts 4.9.6, ERC721PresetMinterPauserAutoId
    f([0x6a, 0x62, 0x78, 0x42], "mint(address to)", &[Gives(&[0])]),
    // @openzeppelin/contracts 5.7.0, ERC1155Burnable
    f([0x6b, 0x20, 0xc4, 0x54], "burnBatch(address account,uint256[] ids,uint256[] values)", &[Leaves(None, Items(&[1, EACH], &[2, EACH]))]),
    // @openzeppelin/contracts 5.7.0, IERC4626
    f([0x6e, 0x55, 0x3f, 0x65], "deposit(uint256 assets,address receiver)", &[Swaps(&[1], Sum(&[0]))]),
    // @openzeppelin/contracts 5.7.0, Ownable2Step
    f([0x71, 0x50, 0x18, 0xa6], "renounceOwnership()", &[Controls(None)]),
    // @openzeppelin/contracts 4.9.6, ERC1155PresetMinterPauser
    f([0x73, 0x11, 0x33, 0xe9], "mint(address to,uint256 id,uint256 amount,bytes data)", &[Gives(&[0])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x79, 0x1a, 0xc9, 0x47], "swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[0]))]),
    // @openzeppelin/contracts 5.7.0, Ownable2Step
    f([0x79, 0xba, 0x50, 0x97], "acceptOwnership()", &[]),
    // @openzeppelin/contracts 5.7.0, ERC20Burnable
    f([0x79, 0xcc, 0x67, 0x90], "burnFrom(address account,uint256 value)", &[Leaves(None, Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, AccessManaged
    f([0x7a, 0x9e, 0x5e, 0x4b], "setAuthority(address newAuthority)", &[Controls(Some(&[0]))]),
    // @uniswap/v3-periphery 1.4.4, NonfungiblePositionManager
    f([0x7a, 0xc2, 0xff, 0x7b], "permit(address spender,uint256 tokenId,uint256 deadline,uint8 v,bytes32 r,bytes32 s)", &[Lends(&[0], Item(&[1]))]),
    // @openzeppelin/contracts 5.7.0, ERC721Wrapper
    f([0x7c, 0x1b, 0x12, 0x6c], "withdrawTo(address account,uint256[] tokenIds)", &[Leaves(Some(&[0]), Item(&[1, EACH]))]),
    // @openzeppelin/contracts 4.9.6, ProxyAdmin
    f([0x7e, 0xff, 0x27, 0x5e], "changeProxyAdmin(address proxy,address newAdmin)", &[Controls(Some(&[1]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x7f, 0xf3, 0x6a, 0xb5], "swapExactETHForTokens(uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Gives(&[2])]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0x87, 0x51, 0x7c, 0x45], "approve(address token,address spender,uint160 amount,uint48 expiration)", &[Lends(&[1], Sum(&[2]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0x88, 0x03, 0xdb, 0xee], "swapTokensForExactTokens(uint256 amountOut,uint256 amountInMax,address[] path,address to,uint256 deadline)", &[Swaps(&[3], Sum(&[1]))]),
    // @uniswap/v3-periphery 1.4.4, NonfungiblePositionManager
    f([0x88, 0x31, 0x64, 0x56], "mint((address token0,address token1,uint24 fee,int24 tickLower,int24 tickUpper,uint256 amount0Desired,uint256 amount1Desired,uint256 amount0Min,uint256 amount1Min,address recipient,uint256 deadline) params)", &[Swaps(&[0, 9], Sum(&[0, 5])), Swaps(&[0, 9], Sum(&[0, 6]))]),
    // @openzeppelin/contracts 5.7.0, ERC20TransferAuthorization
    f([0x88, 0xb7, 0xab, 0x63], "receiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,bytes signature)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @openzeppelin/contracts 4.9.6, ITransparentUpgradeableProxy
    f([0x8f, 0x28, 0x39, 0x70], "changeAdmin(address)", &[Controls(Some(&[0]))]),
    // @openzeppelin/contracts 5.7.0, TimelockController
    f([0x8f, 0x2a, 0x0b, 0xb0], "scheduleBatch(address[] targets,uint256[] values,bytes[] payloads,bytes32 predecessor,bytes32 salt,uint256 delay)", &[Calls(&[&[0], &[1], &[2]])]),
    // @uniswap/v3-periphery 1.4.4, IERC20PermitAllowed
    f([0x8f, 0xcb, 0xaf, 0x0c], "permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed,uint8 v,bytes32 r,bytes32 s)", &[Lends(&[1], AllIf(&[4]))]),
    // @openzeppelin/contracts 5.7.0, IERC4626
    f([0x94, 0xbf, 0x80, 0x4d], "mint(uint256 shares,address receiver)", &[Swaps(&[1], Units(&[0]))]),
    // @openzeppelin/contracts 5.7.0, AccountERC7579
    f([0x95, 0x17, 0xe2, 0x9f], "installModule(uint256 moduleTypeId,address module,bytes initData)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0x95, 0x9b, 0x8c, 0x3f], "authorizeOperator(address operator)", &[Lends(&[0], All)]),
    // @openzeppelin/contracts 5.7.0, ProxyAdmin
    f([0x96, 0x23, 0x60, 0x9d], "upgradeAndCall(address proxy,address implementation,bytes data)", &[Controls(Some(&[1])), Calls(&[&[2]])]),
    // @openzeppelin/contracts 4.9.6, ProxyAdmin
    f([0x99, 0xa8, 0x8e, 0xc4], "upgrade(address proxy,address implementation)", &[Controls(Some(&[1]))]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0x9b, 0xd9, 0xbb, 0xc6], "send(address recipient,uint256 amount,bytes data)", &[Leaves(Some(&[0]), Units(&[1]))]),
    // @openzeppelin/contracts 4.9.6, IBridge
    f([0x9e, 0x5d, 0x4c, 0x49], "executeCall(address to,uint256 value,bytes data)", &[Calls(&[&[0], &[1], &[2]])]),
    // @openzeppelin/contracts 5.7.0, IERC721
    f([0xa2, 0x2c, 0xb4, 0x65], "setApprovalForAll(address operator,bool approved)", &[Lends(&[0], AllIf(&[1]))]),
    // @openzeppelin/contracts 4.9.6, ERC20
    f([0xa4, 0x57, 0xc2, 0xd7], "decreaseAllowance(address spender,uint256 subtractedValue)", &[]),
    // @openzeppelin/contracts 5.7.0, IERC20
    f([0xa9, 0x05, 0x9c, 0xbb], "transfer(address to,uint256 value)", &[Leaves(Some(&[0]), Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, Multicall
    f([0xac, 0x96, 0x50, 0xd8], "multicall(bytes[] data)", &[Calls(&[&[0]])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xaf, 0x29, 0x79, 0xeb], "removeLiquidityETHSupportingFeeOnTransferTokens(address token,uint256 liquidity,uint256 amountTokenMin,uint256 amountETHMin,address to,uint256 deadline)", &[Leaves(Some(&[4]), Sum(&[1]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0xb3, 0xa2, 0xaf, 0x13], "callPositionManager(bytes data)", &[Calls(&[&[0]])]),
    // @openzeppelin/contracts 5.7.0, IERC4626
    f([0xb4, 0x60, 0xaf, 0x94], "withdraw(uint256 assets,address receiver,address owner)", &[Leaves(Some(&[1]), Sum(&[0]))]),
    // @account-abstraction/contracts 0.6.0, SimpleAccount
    f([0xb6, 0x1d, 0x27, 0xf6], "execute(address dest,uint256 value,bytes func)", &[Calls(&[&[0], &[1], &[2]])]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xb6, 0xf9, 0xde, 0x95], "swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 amountOutMin,address[] path,address to,uint256 deadline)", &[Gives(&[2])]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0xb8, 0x58, 0x18, 0x3f], "exactInput((bytes path,address recipient,uint256 amountIn,uint256 amountOutMinimum) params)", &[Swaps(&[0, 1], Sum(&[0, 2]))]),
    // @openzeppelin/contracts 5.7.0, IERC721
    f([0xb8, 0x8d, 0x4f, 0xde], "safeTransferFrom(address from,address to,uint256 tokenId,bytes data)", &[Leaves(Some(&[1]), Item(&[2]))]),
    // @openzeppelin/contracts 5.7.0, IERC4626
    f([0xba, 0x08, 0x76, 0x52], "redeem(uint256 shares,address receiver,address owner)", &[Leaves(Some(&[1]), Units(&[0]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xba, 0xa2, 0xab, 0xde], "removeLiquidity(address tokenA,address tokenB,uint256 liquidity,uint256 amountAMin,uint256 amountBMin,address to,uint256 deadline)", &[Leaves(Some(&[5]), Sum(&[2]))]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0xc0, 0x4b, 0x8d, 0x59], "exactInput((bytes path,address recipient,uint256 deadline,uint256 amountIn,uint256 amountOutMinimum) params)", &[Swaps(&[0, 1], Sum(&[0, 3]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0xc1, 0xd3, 0x4b, 0x89], "transferFromAndCall(address from,address to,uint256 value,bytes data)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @openzeppelin/contracts 5.7.0, IEntryPointStake
    f([0xc2, 0x3a, 0x5c, 0xea], "withdrawStake(address withdrawAddress)", &[Leaves(Some(&[0]), All)]),
    // @openzeppelin/contracts 5.7.0, Governor
    f([0xc2, 0x8b, 0xc2, 0xfa], "relay(address target,uint256 value,bytes data)", &[Calls(&[&[0], &[1], &[2]])]),
    // @openzeppelin/contracts 5.7.0, ERC721Wrapper
    f([0xca, 0xce, 0x6e, 0xb2], "depositFor(address account,uint256[] tokenIds)", &[Swaps(&[0], Item(&[1, EACH]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0xca, 0xe9, 0xca, 0x51], "approveAndCall(address spender,uint256 value,bytes data)", &[Lends(&[0], Units(&[1]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0xcc, 0x53, 0x28, 0x7f], "lockdown((address token,address spender)[] approvals)", &[]),
    // @openzeppelin/contracts 5.7.0, ERC2771Forwarder
    f([0xcc, 0xf9, 0x6b, 0x4a], "executeBatch((address from,address to,uint256 value,uint256 gas,uint48 deadline,bytes data,bytes signature)[] requests,address refundReceiver)", &[Calls(&[&[0]])]),
    // @openzeppelin/contracts 5.7.0, ERC20TransferAuthorization
    f([0xcf, 0x09, 0x29, 0x95], "transferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,bytes signature)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @uniswap/v3-periphery 1.4.4, IWETH9
    f([0xd0, 0xe3, 0x0d, 0xb0], "deposit()", &[]),
    // @openzeppelin/contracts 5.7.0, IERC20Permit
    f([0xd5, 0x05, 0xac, 0xcf], "permit(address owner,address spender,uint256 value,uint256 deadline,uint8 v,bytes32 r,bytes32 s)", &[Lends(&[1], Units(&[2]))]),
    // @openzeppelin/contracts 5.7.0, AccessControlDefaultAdminRules
    f([0xd5, 0x47, 0x74, 0x1f], "revokeRole(bytes32 role,address account)", &[]),
    // @openzeppelin/contracts 5.7.0, AccountERC7579
    f([0xd6, 0x91, 0xc9, 0x64], "executeFromExecutor(bytes32 mode,bytes executionCalldata)", &[Calls(&[&[0], &[1]])]),
    // @chainlink/abi 0.1.4, LinkToken
    f([0xd7, 0x3d, 0xd6, 0x23], "increaseApproval(address spender,uint256 addedValue)", &[Lends(&[0], Units(&[1]))]),
    // @openzeppelin/contracts 5.7.0, IERC1363
    f([0xd8, 0xfb, 0xe9, 0x94], "transferFromAndCall(address from,address to,uint256 value)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0xdb, 0x3e, 0x21, 0x98], "exactOutputSingle((address tokenIn,address tokenOut,uint24 fee,address recipient,uint256 deadline,uint256 amountOut,uint256 amountInMaximum,uint160 sqrtPriceLimitX96) params)", &[Swaps(&[0, 3], Sum(&[0, 6]))]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0xdf, 0x2a, 0xb5, 0xbb], "sweepToken(address token,uint256 amountMinimum,address recipient)", &[Gives(&[2])]),
    // @openzeppelin/contracts 5.7.0, ERC2771Forwarder
    f([0xdf, 0x90, 0x5c, 0xaf], "execute((address from,address to,uint256 value,uint256 gas,uint48 deadline,bytes data,bytes signature) request)", &[Calls(&[&[0]])]),
    // @openzeppelin/contracts 5.7.0, TimelockController
    f([0xe3, 0x83, 0x35, 0xe5], "executeBatch(address[] targets,uint256[] values,bytes[] payloads,bytes32 predecessor,bytes32 salt)", &[Calls(&[&[0], &[1], &[2]])]),
    // @openzeppelin/contracts 5.7.0, ERC20TransferAuthorization
    f([0xe3, 0xee, 0x16, 0x0e], "transferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,uint8 v,bytes32 r,bytes32 s)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xe8, 0xe3, 0x37, 0x00], "addLiquidity(address tokenA,address tokenB,uint256 amountADesired,uint256 amountBDesired,uint256 amountAMin,uint256 amountBMin,address to,uint256 deadline)", &[Swaps(&[6], Sum(&[2])), Swaps(&[6], Sum(&[3]))]),
    // @openzeppelin/contracts 5.7.0, AccountERC7579
    f([0xe9, 0xae, 0x5c, 0x53], "execute(bytes32 mode,bytes executionCalldata)", &[Calls(&[&[0], &[1]])]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0xed, 0xd9, 0x44, 0x4b], "permitTransferFrom(((address token,uint256 amount)[] permitted,uint256 nonce,uint256 deadline) permit,(address to,uint256 requestedAmount)[] transferDetails,address owner,bytes signature)", &[Leaves(Some(&[1, EACH, 0]), Sum(&[1, EACH, 1]))]),
    // @openzeppelin/contracts 5.7.0, ERC20TransferAuthorization
    f([0xef, 0x55, 0xbe, 0xc6], "receiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,uint8 v,bytes32 r,bytes32 s)", &[Leaves(Some(&[1]), Units(&[2]))]),
    // @openzeppelin/contracts 5.7.0, ERC1155Burnable
    f([0xf2, 0x42, 0x43, 0x2a], "safeTransferFrom(address from,address to,uint256 id,uint256 value,bytes data)", &[Leaves(Some(&[1]), Items(&[2], &[3]))]),
    // @uniswap/v3-periphery 1.4.4, SwapRouter
    f([0xf2, 0x8c, 0x04, 0x98], "exactOutput((bytes path,address recipient,uint256 deadline,uint256 amountOut,uint256 amountInMaximum) params)", &[Swaps(&[0, 1], Sum(&[0, 4]))]),
    // @uniswap/swap-router-contracts 1.3.1, SwapRouter02
    f([0xf2, 0xd5, 0xd5, 0x6b], "pull(address token,uint256 value)", &[Leaves(None, Sum(&[1]))]),
    // @openzeppelin/contracts 5.7.0, Ownable2Step
    f([0xf2, 0xfd, 0xe3, 0x8b], "transferOwnership(address newOwner)", &[Controls(Some(&[0]))]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xf3, 0x05, 0xd7, 0x19], "addLiquidityETH(address token,uint256 amountTokenDesired,uint256 amountTokenMin,uint256 amountETHMin,address to,uint256 deadline)", &[Swaps(&[4], Sum(&[1]))]),
    // @openzeppelin/contracts 5.7.0, ERC1155Burnable
    f([0xf5, 0x29, 0x8a, 0xca], "burn(address account,uint256 id,uint256 value)", &[Leaves(None, Items(&[1], &[2]))]),
    // @openzeppelin/contracts 5.7.0, AccessManager
    f([0xf8, 0x01, 0xa6, 0x98], "schedule(address target,bytes data,uint48 when)", &[Calls(&[&[0], &[1]])]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0xfa, 0xd8, 0xb3, 0x2a], "revokeOperator(address operator)", &[]),
    // @uniswap/v2-periphery 1.1.0-beta.0, IUniswapV2Router02
    f([0xfb, 0x3b, 0xdb, 0x41], "swapETHForExactTokens(uint256 amountOut,address[] path,address to,uint256 deadline)", &[Gives(&[2])]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0xfc, 0x67, 0x3c, 0x4f], "operatorBurn(address account,uint256 amount,bytes data,bytes operatorData)", &[Leaves(None, Units(&[1]))]),
    // @uniswap/v3-periphery 1.4.4, NonfungiblePositionManager
    f([0xfc, 0x6f, 0x78, 0x65], "collect((uint256 tokenId,address recipient,uint128 amount0Max,uint128 amount1Max) params)", &[Leaves(Some(&[0, 1]), Item(&[0, 0]))]),
    // @uniswap/universal-router 2.1.0, IPermit2
    f([0xfe, 0x8e, 0xc1, 0xa7], "permitWitnessTransferFrom(((address token,uint256 amount)[] permitted,uint256 nonce,uint256 deadline) permit,(address to,uint256 requestedAmount)[] transferDetails,address owner,bytes32 witness,string witnessTypeString,bytes signature)", &[Leaves(Some(&[1, EACH, 0]), Sum(&[1, EACH, 1]))]),
    // @openzeppelin/contracts 5.7.0, IERC6909
    f([0xfe, 0x99, 0x04, 0x9a], "transferFrom(address sender,address receiver,uint256 id,uint256 amount)", &[Leaves(Some(&[1]), Items(&[2], &[3]))]),
    // @openzeppelin/contracts 4.9.6, IERC777
    f([0xfe, 0x9d, 0x93, 0x03], "burn(uint256 amount,bytes data)", &[Leaves(None, Units(&[0]))]),
];

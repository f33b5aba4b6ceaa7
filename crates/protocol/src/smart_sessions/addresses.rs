//! Where the module and its policies stand: the same on public chains and in the lab.

use alloy::primitives::{Address, address};

/// The module.
pub const SMART_SESSION: Address = address!("00000000008bDABA73cD9815d79069c247Eb4bDA");
/// Allows everything.
pub const SUDO_POLICY: Address = address!("0000000000FEEc8D74e3143fBaBbca515358d869");
/// From when to when.
pub const TIME_FRAME_POLICY: Address = address!("0000000000D30f611fA3bf652ac6879428586930");
/// How many times.
pub const USAGE_LIMIT_POLICY: Address = address!("00000000001d4479FA2A947026204d0283ceDe4B");
/// How much native currency in all.
pub const VALUE_LIMIT_POLICY: Address = address!("000000000021dC45451291BCDfc9f0B46d6f0278");
/// How much of a token in all.
pub const ERC20_SPENDING_LIMIT_POLICY: Address = address!("000000000033212E272655D8a22402Db819477A6");
/// Which arguments.
pub const UNIVERSAL_ACTION_POLICY: Address = address!("0000000000714Cf48FcF88A0bFBa70d313415032");
/// The policies whose code is known: those above.
pub const POLICIES: [Address; 6] = [
    SUDO_POLICY,
    TIME_FRAME_POLICY,
    USAGE_LIMIT_POLICY,
    VALUE_LIMIT_POLICY,
    ERC20_SPENDING_LIMIT_POLICY,
    UNIVERSAL_ACTION_POLICY,
];
/// The lab's session validator: one key, `personal_sign` of the operation's hash. It stands at an address of its own,
/// as it takes other signatures than the public ones.
pub const SIMPLE_SIGNER: Address = address!("8b34EAeAA7cF9b4CB5fA6DcCF05A5Af67441bD0d");
/// The public session validator for several owners; its signatures are made elsewhere.
pub const OWNABLE_VALIDATOR: Address = address!("000000000013fdB5234E4E3162a810F54d9f7E98");

/// Target of the actions that stand for others. A grant that names it is refused.
pub const FALLBACK_TARGET: Address = address!("0000000000000000000000000000000000000001");
/// With [`FALLBACK_TARGET`]: any call that no other action is for, of the account itself too.
pub const FALLBACK_GENERIC: [u8; 4] = [0, 0, 0, 1];
/// With [`FALLBACK_TARGET`]: calls of the module.
pub const FALLBACK_ADMINISTRATION: [u8; 4] = [0, 0, 0, 2];
pub use crate::call::VALUE_SELECTOR;

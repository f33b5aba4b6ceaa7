//! Texts of the token paymaster (docs/protocol.md 5.7).

use crate::revert::Explanation;

#[rustfmt::skip]
pub(super) const PAYMASTER: &[Explanation] = &[
    Explanation {
        matches: "USE_AA_PAGE_SPONSORSHIP is off",
        name: "PageSponsorshipOffError",
        meaning: "This server pays and advances gas only for programs that have a key, not for pages.",
        causes: &["whoever runs the server has not turned sponsoring for pages on"],
        solutions: &["reload the page and pay the gas from the account itself", "ask whoever runs the server to set USE_AA_PAGE_SPONSORSHIP to on"],
        retryable: false,
    },
    Explanation {
        matches: "account does not have enough token balance",
        name: "InsufficientTokenBalanceError",
        meaning: "The account cannot pay the gas in that token.",
        causes: &["balance of the fee token too low"],
        solutions: &["fund the account with the token", "pay with another token"],
        retryable: false,
    },
    Explanation {
        matches: "BTPM: gas too low for postOp",
        name: "PostOpGasTooLowError",
        meaning: "The token paymaster needs more than 45,000 verification gas.",
        causes: &["verification gas limit too low"],
        solutions: &["raise the verification gas limit"],
        retryable: true,
    },
    Explanation {
        matches: "BTPM: invalid signature length",
        name: "InvalidPaymasterSignatureLengthError",
        meaning: "The token paymaster's data is malformed.",
        causes: &["data is not exactly 278 bytes"],
        solutions: &["ask the paymaster again"],
        retryable: true,
    },
    Explanation {
        matches: "BTPM: price markup percentage",
        name: "PriceMarkupError",
        meaning: "The token paymaster's markup is out of range.",
        causes: &["markup below 0 or above 100 %"],
        solutions: &["check the paymaster's configuration"],
        retryable: false,
    },
    Explanation {
        matches: "BTPM: calculated token charge invalid",
        name: "TokenChargeError",
        meaning: "The token paymaster computed no valid charge.",
        causes: &["exchange rate of 0"],
        solutions: &["choose another fee token"],
        retryable: false,
    },
    Explanation {
        matches: "the paymaster's InsufficientBalance",
        name: "SponsorDepositTooLowError",
        meaning: "The sponsor's deposit with the paymaster does not cover the operation.",
        causes: &["deposit used up"],
        solutions: &["top up the sponsor's deposit", "pay the gas from the account itself"],
        retryable: false,
    },
    Explanation {
        matches: "InvalidPaymasterSignatureLength",
        name: "InvalidPaymasterSignatureLengthError",
        meaning: "The paymaster's signature does not have 65 bytes.",
        causes: &["a stub was sent in place of the signature"],
        solutions: &["ask the paymaster again"],
        retryable: true,
    },
    Explanation {
        matches: "BTPM: Invalid length for paymasterAndData",
        name: "InvalidPaymasterSignatureLengthError",
        meaning: "The token paymaster's data is too short.",
        causes: &["data is not exactly 278 bytes"],
        solutions: &["ask the paymaster again"],
        retryable: true,
    },
    Explanation {
        matches: "Sender not EntryPoint",
        name: "SenderNotEntryPointError",
        meaning: "Something other than the entry point called the paymaster.",
        causes: &["the paymaster was made for another entry point"],
        solutions: &["check the paymaster's configuration"],
        retryable: false,
    },
];

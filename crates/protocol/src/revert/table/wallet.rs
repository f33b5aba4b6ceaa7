//! Codes of EIP-1193 and EIP-1474 that wallets answer with.

use crate::revert::Explanation;

#[rustfmt::skip]
pub(super) const WALLET: &[(i64, Explanation)] = &[
    (
        4001,
        Explanation {
            matches: "",
            name: "UserRejectedRequestError",
            meaning: "You refused the request in the wallet.",
            causes: &["the request was closed or refused"],
            solutions: &["try again and confirm in the wallet"],
            retryable: true,
        },
    ),
    (
        4100,
        Explanation {
            matches: "",
            name: "UnauthorizedError",
            meaning: "The wallet does not let this app use that account or method.",
            causes: &["the account is not connected to this app", "the wallet is locked"],
            solutions: &["connect the account in the wallet", "unlock it"],
            retryable: true,
        },
    ),
    (
        4200,
        Explanation {
            matches: "",
            name: "UnsupportedMethodError",
            meaning: "The wallet does not know this method.",
            causes: &["an old wallet, or one made for something else"],
            solutions: &["update the wallet", "use another one"],
            retryable: false,
        },
    ),
    (
        4900,
        Explanation {
            matches: "",
            name: "DisconnectedError",
            meaning: "The wallet is not connected to any chain.",
            causes: &["the wallet's network is down"],
            solutions: &["wait a moment, then try again", "choose another network in the wallet"],
            retryable: true,
        },
    ),
    (
        4901,
        Explanation {
            matches: "",
            name: "ChainDisconnectedError",
            meaning: "The wallet is not connected to this chain.",
            causes: &["that network's node does not answer the wallet"],
            solutions: &["choose the network again in the wallet"],
            retryable: true,
        },
    ),
    (
        4902,
        Explanation {
            matches: "",
            name: "UnrecognizedChainError",
            meaning: "The wallet does not know this chain.",
            causes: &["the network was never added there"],
            solutions: &["let this page add the network, then try again"],
            retryable: true,
        },
    ),
    (
        1011,
        Explanation {
            matches: "",
            name: "WalletStoppedError",
            meaning: "The wallet's own program stopped.",
            causes: &["the extension was updated, or the browser put it to sleep"],
            solutions: &["reload the page", "connect the wallet again"],
            retryable: true,
        },
    ),
    (
        1013,
        Explanation {
            matches: "",
            name: "WalletReconnectingError",
            meaning: "The wallet has lost its connection for a moment and is connecting again.",
            causes: &["the wallet's network is down or slow"],
            solutions: &["wait a moment, then try again"],
            retryable: true,
        },
    ),
    (
        -32002,
        Explanation {
            matches: "",
            name: "RequestPendingError",
            meaning: "The wallet has an open request already.",
            causes: &["an earlier request waits in the wallet's window"],
            solutions: &["open the wallet and answer it"],
            retryable: true,
        },
    ),
    (
        -32003,
        Explanation {
            matches: "",
            name: "TransactionRejectedByWalletError",
            meaning: "The wallet rejected the transaction.",
            causes: &["the wallet's own checks"],
            solutions: &["look into the wallet for its reason"],
            retryable: false,
        },
    ),
    (
        -32603,
        Explanation {
            matches: "",
            name: "WalletInternalError",
            meaning: "Something failed inside the wallet.",
            causes: &["a fault of the wallet or its node"],
            solutions: &["try again", "reload the page"],
            retryable: true,
        },
    ),
];

//! What the page is told of the chain: the facts of known chains, and what the configuration says of others.

use super::config::Config;
use use_aa_protocol::{
    addresses::ENTRY_POINT,
    kind::AccountKind,
    rpc::{ChainInfo, NativeCurrency},
};

/// A public chain.
struct Chain {
    /// EIP-155 id.
    id: u64,
    name: &'static str,
    explorer: &'static str,
    /// Name and symbol.
    currency: (&'static str, &'static str),
}

const fn chain(id: u64, name: &'static str, explorer: &'static str, currency: (&'static str, &'static str)) -> Chain {
    Chain { id, name, explorer, currency }
}

const ETHER: (&str, &str) = ("Ether", "ETH");
const BNB: (&str, &str) = ("BNB", "BNB");
const TEST_BNB: (&str, &str) = ("Test BNB", "tBNB");
const POL: (&str, &str) = ("POL", "POL");

/// The chains that people know; every other one works, too, with what the configuration says.
const CHAINS: &[Chain] = &[
    chain(1, "Ethereum", "https://etherscan.io", ETHER),
    chain(10, "OP Mainnet", "https://optimistic.etherscan.io", ETHER),
    chain(56, "BNB Smart Chain", "https://bscscan.com", BNB),
    chain(97, "BNB Smart Chain Testnet", "https://testnet.bscscan.com", TEST_BNB),
    chain(137, "Polygon", "https://polygonscan.com", POL),
    chain(8453, "Base", "https://basescan.org", ETHER),
    chain(42161, "Arbitrum One", "https://arbiscan.io", ETHER),
    chain(59144, "Linea", "https://lineascan.build", ETHER),
    chain(80002, "Polygon Amoy", "https://amoy.polygonscan.com", POL),
    chain(84532, "Base Sepolia", "https://sepolia.basescan.org", ETHER),
    chain(421614, "Arbitrum Sepolia", "https://sepolia.arbiscan.io", ETHER),
    chain(11155111, "Sepolia", "https://sepolia.etherscan.io", ETHER),
];

/// Facts of the configuration that the page may know.
pub fn chain_info_of(config: &Config) -> ChainInfo {
    let known = CHAINS.iter().find(|chain| chain.id == config.chain_id).filter(|_| !config.lab);
    let name = match known {
        _ if config.lab => "Local lab".to_owned(),
        Some(chain) => chain.name.to_owned(),
        None => format!("Chain {}", config.chain_id),
    };
    let native_currency = match (&config.native_currency, known) {
        (Some(symbol), _) => NativeCurrency::new(symbol, symbol),
        (None, Some(Chain { currency: (name, symbol), .. })) => NativeCurrency::new(*name, *symbol),
        (None, None) => NativeCurrency::default(),
    };
    ChainInfo {
        chain_id: config.chain_id,
        name,
        entry_point: ENTRY_POINT,
        lab: config.lab,
        sponsored: config.paymaster.is_some(),
        page_sponsorship: config.sponsors_pages(),
        // A public node URL may hold a key; the lab's does not.
        public_rpc_url: config.rpc_urls.first().filter(|_| config.lab).map(|url| url.expose().to_string()),
        explorer_url: config.explorer_url.clone().or_else(|| known.map(|chain| chain.explorer.to_owned())),
        native_currency,
        account: config.account,
        account_kinds: account_kinds(config),
    }
}

/// The lab has the contracts of all kinds. Elsewhere the operator vouches for a second one by beginning with it.
fn account_kinds(config: &Config) -> Vec<AccountKind> {
    let is_offered = |kind: &AccountKind| config.lab || *kind == AccountKind::default() || *kind == config.account;
    AccountKind::ALL.into_iter().filter(is_offered).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::config::{Secret, ServeArgs};

    fn info(chain_id: &str, native_currency: Option<&str>, explorer_url: Option<&str>) -> ChainInfo {
        let url = || Some(Secret::new("http://127.0.0.1:1/"));
        chain_info_of(
            &Config::from_args(&ServeArgs {
                chain_id: Some(chain_id.to_owned()),
                rpc_url: url(),
                bundler_url: url(),
                native_currency: native_currency.map(str::to_owned),
                explorer_url: explorer_url.map(str::to_owned),
                ..ServeArgs::default()
            })
            .unwrap(),
        )
    }

    #[test]
    fn known_chains_have_their_currency_and_explorer() {
        let polygon = info("137", None, None);
        assert_eq!((polygon.name.as_str(), polygon.native_currency.symbol.as_str()), ("Polygon", "POL"));
        assert_eq!(polygon.explorer_url.as_deref(), Some("https://polygonscan.com"));
        let bnb = info("56", None, Some("https://own.example/"));
        assert_eq!((bnb.native_currency.symbol.as_str(), bnb.native_currency.decimals), ("BNB", 18));
        assert_eq!(bnb.explorer_url.as_deref(), Some("https://own.example"));
    }

    #[test]
    fn other_chains_have_what_is_configured_or_ether_and_no_explorer() {
        let plain = info("4242", None, None);
        assert_eq!((plain.native_currency, plain.explorer_url), (NativeCurrency::default(), None));
        assert_eq!(plain.name, "Chain 4242");
        assert_eq!(info("4242", Some(" XDAI "), None).native_currency, NativeCurrency::new("XDAI", "XDAI"));
    }

    #[test]
    fn the_lab_has_play_ether_and_no_explorer() {
        let lab = chain_info_of(&Config::from_args(&ServeArgs::default()).unwrap());
        assert_eq!((lab.name.as_str(), lab.explorer_url), ("Local lab", None));
        assert_eq!(lab.native_currency, NativeCurrency::default());
    }

    #[test]
    fn the_lab_offers_every_account_kind_and_others_what_the_operator_says() {
        let of = |args: ServeArgs| chain_info_of(&Config::from_args(&args).unwrap());
        let lab = of(ServeArgs::default());
        assert_eq!((lab.account, lab.account_kinds), (AccountKind::BiconomyV2, AccountKind::ALL.to_vec()));
        let begins_with = |account: &str| ServeArgs { account: Some(account.to_owned()), ..ServeArgs::default() };
        assert_eq!(of(begins_with("nexus")).account, AccountKind::Nexus);
        let url = || Some(Secret::new("http://127.0.0.1:1/"));
        let elsewhere = |args| ServeArgs { rpc_url: url(), bundler_url: url(), ..args };
        assert_eq!(of(elsewhere(ServeArgs::default())).account_kinds, [AccountKind::BiconomyV2]);
        assert_eq!(of(elsewhere(begins_with("nexus"))).account_kinds, AccountKind::ALL);
        let wrong = Config::from_args(&begins_with("safe")).unwrap_err();
        assert_eq!(wrong.to_string(), "USE_AA_ACCOUNT: expected biconomy-v2 or nexus, got safe");
    }
}

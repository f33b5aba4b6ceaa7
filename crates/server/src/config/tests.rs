#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::path::Path;

use alloy::primitives::address;
use clap::{Args as _, Command, FromArgMatches as _};

use super::*;

/// Account #10 of the public test mnemonic.
const KEY: &str = "0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897";
const PAYMASTER: &str = "0x00000f79b7faf42eebadba19acc07cd08af44789";

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

fn on_networks() -> ServeArgs {
    ServeArgs {
        rpc_url: secret("https://rpc.example/key-1, wss://user:key-2@other.example:444/"),
        bundler_url: secret("http://bundler.example:3000/v2/key-3"),
        ..ServeArgs::default()
    }
}

fn refused(args: &ServeArgs) -> ConfigError {
    Config::from_args(args).map(|config| format!("{config:?}")).unwrap_err()
}

#[test]
fn nothing_given_means_the_lab() {
    let config = Config::from_args(&ServeArgs::default()).unwrap();
    assert_eq!(config.addr.to_string(), "127.0.0.1:3000");
    assert_eq!((config.chain_id, config.lab), (LAB_CHAIN_ID, true));
    assert_eq!(config.data_dir, PathBuf::from("data"));
    assert_eq!(config.lab_options, LabConfig::default());
    assert!(config.rpc_urls.is_empty() && config.bundler_urls.is_empty() && config.paymaster.is_none());
}

/// `cargo xtask dev` sets whatever belongs to another network to nothing.
#[test]
fn empty_values_count_as_unset() {
    let command = ServeArgs::augment_args(Command::new("app"));
    for nothing in ["", " "] {
        let options: Vec<_> = command.get_arguments().filter(|option| option.get_env().is_some()).collect();
        assert!(options.len() > 30, "{options:?}");
        let words = options.iter().map(|option| format!("--{}={nothing}", option.get_long().unwrap()));
        let matches = command.clone().get_matches_from(std::iter::once("app".to_owned()).chain(words));
        let config = Config::from_args(&ServeArgs::from_arg_matches(&matches).unwrap()).unwrap();
        let unset = Config::from_args(&ServeArgs::default()).unwrap();
        assert_eq!(format!("{config:?}"), format!("{unset:?}"));
    }
}

#[test]
fn networks_keep_their_order_and_their_keys_stay_out_of_print() {
    let config = Config::from_args(&ServeArgs { chain_id: Some("80002".into()), ..on_networks() }).unwrap();
    assert!(!config.lab);
    assert_eq!(config.chain_id, 80_002);
    assert_eq!(config.rpc_urls[0].expose().as_str(), "https://rpc.example/key-1");
    assert_eq!(config.rpc_urls[1].to_string(), "wss://other.example:444");
    assert!(config.rpc_urls[1].is_web_socket() && !config.rpc_urls[0].is_web_socket());
    let printed = format!("{config:?}");
    assert!(printed.contains("rpc.example") && !printed.contains("key-"), "{printed}");
}

#[test]
fn secrets_are_never_printed() {
    let args = ServeArgs {
        paymaster_url: secret("https://paymaster.example/key-4"),
        paymaster_api_key: secret("key-5"),
        paymaster_signer_key: secret(KEY),
        database_url: secret("postgres://me:key-6@db/use_aa"),
        ..on_networks()
    };
    for printed in [
        format!("{args:?}"),
        format!("{:?}", Config::from_args(&ServeArgs { paymaster_signer_key: None, ..args.clone() })),
    ] {
        assert!(!printed.contains("key-") && !printed.contains(&KEY[2..]), "{printed}");
    }
    let wrong = ServeArgs { paymaster_signer_key: secret("0xf00d"), ..on_networks() };
    assert!(!refused(&wrong).to_string().contains("f00d"));
    let wrong = ServeArgs { rpc_url: secret("key-7"), ..on_networks() };
    assert!(!refused(&wrong).to_string().contains("key-7"));
}

#[test]
fn the_paymaster_is_built_in_remote_or_none() {
    let built_in =
        ServeArgs { paymaster_signer_key: secret(KEY), paymaster_address: Some(PAYMASTER.into()), ..on_networks() };
    let Some(PaymasterConfig::BuiltIn { signer_key, address, paymaster_id, address_v07: None }) =
        Config::from_args(&built_in).unwrap().paymaster
    else {
        panic!("not built in")
    };
    assert_eq!(signer_key.address(), address!("BcD4042DE499D14e55001CcbB24a551F3b954096"));
    assert_eq!((address, paymaster_id), (PAYMASTER.parse().unwrap(), signer_key.address()));

    let remote = ServeArgs {
        paymaster_url: secret("https://paymaster.example/"),
        paymaster_dialect: Some("erc7677".into()),
        paymaster_api_key: secret("k"),
        ..built_in.clone()
    };
    let Some(PaymasterConfig::Remote { dialect, api_key, .. }) = Config::from_args(&remote).unwrap().paymaster else {
        panic!("not remote")
    };
    assert_eq!((dialect, api_key.unwrap().expose()), (PaymasterDialect::Erc7677, "k"));

    assert_eq!(Config::from_args(&on_networks()).unwrap().paymaster, None);
    let half = ServeArgs { paymaster_signer_key: None, ..built_in.clone() };
    assert_eq!(refused(&half).variable, "USE_AA_PAYMASTER_SIGNER_KEY");
    let half = ServeArgs { paymaster_address: None, ..built_in };
    assert_eq!(refused(&half).variable, "USE_AA_PAYMASTER_ADDRESS");
}

#[test]
fn every_wrong_value_names_its_variable() {
    let on = on_networks;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned();
    let lab = LabArgs::default;
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        ("USE_AA_PAYMASTER_CONTEXT", ServeArgs { paymaster_context: secret("policyId"), ..on() }),
        ("USE_AA_PAYMASTER_CONTEXT", ServeArgs { paymaster_context: secret("[1]"), ..on() }),
        ("USE_AA_ADDR", ServeArgs { addr: text("3000"), ..on() }),
        ("USE_AA_ADDR", ServeArgs { addr: text("example.org:80"), ..on() }),
        ("USE_AA_CHAIN_ID", ServeArgs { chain_id: text("0x1"), ..on() }),
        ("USE_AA_CHAIN_ID", ServeArgs { chain_id: text("0"), ..on() }),
        ("USE_AA_CHAIN_ID", ServeArgs { chain_id: text("99999999999999999999"), ..on() }),
        ("USE_AA_CHAIN_ID", ServeArgs { chain_id: text("1"), ..ServeArgs::default() }),
        ("USE_AA_RPC_URL", ServeArgs { rpc_url: None, ..on() }),
        ("USE_AA_RPC_URL", ServeArgs { rpc_url: secret("https://a/,"), ..on() }),
        ("USE_AA_RPC_URL", ServeArgs { rpc_url: secret("file:///etc/passwd"), ..on() }),
        ("USE_AA_BUNDLER_URL", ServeArgs { bundler_url: None, ..on() }),
        ("USE_AA_BUNDLER_URL", ServeArgs { bundler_url: secret("ws://a/"), ..on() }),
        ("USE_AA_PAYMASTER_URL", ServeArgs { paymaster_url: secret("https://a/,ws://b/"), ..on() }),
        ("USE_AA_PAYMASTER_DIALECT", ServeArgs { paymaster_dialect: text("pimlico"), ..on() }),
        ("USE_AA_PAYMASTER_SIGNER_KEY", ServeArgs { paymaster_signer_key: secret(&"0".repeat(64)), ..on() }),
        ("USE_AA_PAYMASTER_SIGNER_KEY", ServeArgs { paymaster_signer_key: secret(&"f".repeat(64)), ..on() }),
        ("USE_AA_PAYMASTER_ADDRESS", ServeArgs { paymaster_address: text("0x12"), ..on() }),
        ("USE_AA_PAYMASTER_ADDRESS", ServeArgs { paymaster_address: Some(Address::ZERO.to_string()), ..on() }),
        ("USE_AA_PAYMASTER_ID", ServeArgs { paymaster_id: text("me"), ..on() }),
        ("USE_AA_CONFIRMATIONS", ServeArgs { confirmations: text("0"), ..on() }),
        ("USE_AA_CONFIRMATIONS", ServeArgs { confirmations: text("33"), ..on() }),
        ("USE_AA_CONFIRMATIONS", ServeArgs { confirmations: text("safe"), ..on() }),
        ("USE_AA_LEDGER_DAYS", ServeArgs { ledger_days: text("1"), ..on() }),
        ("USE_AA_LEDGER_DAYS", ServeArgs { ledger_days: text("a year"), ..on() }),
        ("USE_AA_DATABASE_URL", ServeArgs { database_url: secret("mysql://a"), ..on() }),
        ("USE_AA_DATA_DIR", ServeArgs { data_dir: Some(file.clone()), ..on() }),
        ("USE_AA_SPONSOR_POLICY", ServeArgs { sponsor_policy: text("policy.toml"), ..on() }),
        ("USE_AA_LAB_BLOCK_TIME", ServeArgs { lab: LabArgs { block_time: text("1.5"), ..lab() }, ..on() }),
        ("USE_AA_LAB_BLOCK_TIME", ServeArgs { lab: LabArgs { block_time: text("3601"), ..lab() }, ..on() }),
        ("USE_AA_LAB_DIR", ServeArgs { lab: LabArgs { dir: Some(file), ..lab() }, ..on() }),
        ("USE_AA_LAB_PORT_BASE", ServeArgs { lab: LabArgs { port_base: text("80"), ..lab() }, ..on() }),
        ("USE_AA_LAB_PORT_BASE", ServeArgs { lab: LabArgs { port_base: text("65536"), ..lab() }, ..on() }),
    ];
    for (variable, args) in cases {
        let error = refused(&args);
        assert_eq!(error.variable, variable, "{error}");
        assert!(error.to_string().starts_with(&format!("{variable}: expected ")), "{error}");
    }
}

#[test]
fn whole_numbers_are_taken_within_their_range() {
    let of = |confirmations: &str, ledger_days: &str| {
        let (confirmations, ledger_days) = (Some(confirmations.into()), Some(ledger_days.into()));
        let config = Config::from_args(&ServeArgs { confirmations, ledger_days, ..on_networks() }).unwrap();
        (config.confirmations, config.ledger_days)
    };
    assert_eq!(of("", " "), (1, 400));
    assert_eq!(of(" 12 ", "2"), (12, 2));
    assert_eq!(of("32", "36500"), (32, 36_500));
}

#[test]
fn the_lab_takes_its_options() {
    let key = "0123456789".repeat(4);
    let args = LabArgs {
        block_time: Some("2".into()),
        dir: Some("state".into()),
        port_base: Some("18545".into()),
        dan_server_key: Some(Secret::new(&key)),
        // A list is for other nodes than the lab's.
        dan_operator_key: Some(Secret::new(format!("{key},{key}"))),
    };
    let expected = LabConfig {
        block_time: 2,
        dir: Some("state".into()),
        port_base: Some(18_545),
        dan_server_key: use_aa_dan::caller_key::CallerKey::parse(&key),
        dan_operator_key: None,
    };
    assert_eq!(LabConfig::from_args(&args), Ok(expected));
}

#[test]
fn localhost_is_an_address() {
    let args = ServeArgs { addr: Some("localhost:8080".into()), ..ServeArgs::default() };
    assert_eq!(Config::from_args(&args).unwrap().addr.to_string(), "127.0.0.1:8080");
}

#[test]
fn currency_and_explorer_are_checked() {
    let with = |currency: &str, explorer: &str| {
        let (native_currency, explorer_url) = (Some(currency.to_owned()), Some(explorer.to_owned()));
        Config::from_args(&ServeArgs { native_currency, explorer_url, ..on_networks() })
    };
    let config = with("XDAI", "https://explorer.example/path/").unwrap();
    assert_eq!(config.native_currency.as_deref(), Some("XDAI"));
    assert_eq!(config.explorer_url.as_deref(), Some("https://explorer.example/path"));
    for currency in ["a b", "<b>", "TWELVELETTERS"] {
        assert_eq!(with(currency, "").unwrap_err().variable, "USE_AA_NATIVE_CURRENCY", "{currency}");
    }
    for explorer in ["explorer.example", "javascript:alert(1)", "https://me:pass@x.example", "https://x.example/?a=1"] {
        assert_eq!(with("", explorer).unwrap_err().variable, "USE_AA_EXPLORER_URL", "{explorer}");
    }
}

#[test]
fn a_policy_that_is_missing_is_named_with_its_variable() {
    let error = values::sponsor_policy(Path::new("/no/such/policy.toml")).unwrap_err().to_string();
    assert!(error.starts_with("USE_AA_SPONSOR_POLICY") && error.contains("/no/such/policy.toml"), "{error}");
}

#[test]
fn pages_are_sponsored_in_the_lab_or_where_it_is_said() {
    let sponsors = |args: ServeArgs, said: Option<&str>| {
        Config::from_args(&ServeArgs { page_sponsorship: said.map(str::to_owned), ..args }).unwrap().sponsors_pages()
    };
    assert!(sponsors(ServeArgs::default(), None) && !sponsors(on_networks(), None));
    assert!(sponsors(on_networks(), Some("on")) && !sponsors(ServeArgs::default(), Some("off")));
    assert!(!sponsors(on_networks(), Some(" ")), "empty is unset");
    let wrong = refused(&ServeArgs { page_sponsorship: Some("yes".into()), ..on_networks() });
    assert_eq!((wrong.variable, wrong.expected.as_str()), ("USE_AA_PAGE_SPONSORSHIP", "on or off"));
}

//! `use-aa key …`: issue, list and revoke keys, straight in the database.

use std::fmt::Write;

use clap::{Args, Subcommand};

use super::{ApiKey, NewKey, Scope, unix_seconds};
use crate::{
    config::{ConfigError, DatabaseArgs},
    database::{Database, DatabaseError},
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{amount, foreign_text};

/// Options of `use-aa key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; it is shown once
    Issue(IssueArgs),
    /// Show all keys, without their secret halves
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Take a key back; servers refuse it within two seconds
    Revoke {
        /// First half of the key, as `use-aa key list` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
struct IssueArgs {
    /// The only chain it is good for
    #[arg(long, value_name = "NUMBER")]
    chain_id: u64,
    /// Who or what it is for
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// bundler, paymaster or both
    #[arg(long, value_name = "NAMES", default_value = "bundler,paymaster", value_delimiter = ',')]
    scope: Vec<String>,
    /// How long it is good, such as 12h or 30d, or unix seconds [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Most calls in a minute; those of a batch count one by one
    #[arg(long, value_name = "NUMBER")]
    requests_per_minute: Option<u32>,
    /// Most that is sponsored for it per UTC day, such as "0.05 ether" [default: what the policy allows]
    #[arg(long, value_name = "AMOUNT")]
    budget_per_day: Option<String>,
}

/// Why the command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// A value of the command line or the environment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database's URL.
    #[error(transparent)]
    Url(#[from] AppError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] DatabaseError),
    /// Nothing to revoke.
    #[error("no key {0} that could be revoked; `use-aa key list` shows all of them")]
    NoSuchKey(String),
}

/// Does what the command line says and returns what to print.
pub async fn run(args: KeyArgs) -> Result<String, KeyCommandError> {
    let database = match args.database.check()? {
        (Some(url), _) => Database::at(url.expose())?,
        (None, folder) => Database::in_folder(&folder),
    };
    let done = act(&database, args.command).await;
    database.close().await;
    done
}

async fn act(database: &Database, command: KeyCommand) -> Result<String, KeyCommandError> {
    match command {
        KeyCommand::Issue(args) => {
            let (secret, key) = database.issue_key(args.check(unix_seconds())?).await?;
            let ApiKey { id, chain_id, .. } = &key;
            Ok(format!(
                "{}\n\nKey {id} for chain {chain_id}, kept as a hash in the {}: this is the only time it is shown.\n\
                 standards (ERC-7769, ERC-7677): /rpc/{chain_id}/<key>\n\
                 @biconomy/account: bundler /api/v2/{chain_id}/<key>, paymaster /api/v1/{chain_id}/<key>",
                secret.expose(),
                database.name(),
            ))
        }
        KeyCommand::List { json } => {
            let keys = database.keys().await?;
            Ok(if json { serde_json::json!(keys).to_string() } else { table(&keys, unix_seconds()) })
        }
        KeyCommand::Revoke { id } => match database.revoke_key(&id).await? {
            true => Ok(format!("key {id} is revoked")),
            false => Err(KeyCommandError::NoSuchKey(id)),
        },
    }
}

impl IssueArgs {
    fn check(&self, now: u64) -> Result<NewKey, ConfigError> {
        let scope = |name: &String| {
            let wrong = || ConfigError::new("--scope", "bundler, paymaster or both", name);
            Scope::from_name(name.trim()).ok_or_else(wrong)
        };
        let mut scopes = self.scope.iter().map(scope).collect::<Result<Vec<_>, _>>()?;
        scopes.dedup();
        if foreign_text::name(&self.label).is_none() {
            return Err(ConfigError::new("--label", "who or what the key is for", "nothing"));
        }
        let expires_at = self.expires.as_deref().map(|text| {
            let wrong = || ConfigError::new("--expires", "a time to come, such as 12h, 30d or unix seconds", text);
            moment(text, now).filter(|end| *end > now).ok_or_else(wrong)
        });
        let budget_per_day = self.budget_per_day.as_deref().map(|text| {
            amount::parse(text).ok_or_else(|| ConfigError::new("--budget-per-day", amount::EXPECTED, text))
        });
        Ok(NewKey {
            chain_id: self.chain_id,
            label: self.label.trim().to_owned(),
            scopes,
            requests_per_minute: self.requests_per_minute,
            budget_per_day: budget_per_day.transpose()?,
            expires_at: expires_at.transpose()?,
        })
    }
}

/// A time from now on (`90s`, `15m`, `12h`, `30d`), or unix seconds.
fn moment(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return text.parse().ok(),
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    now.checked_add(number.checked_mul(seconds)?)
}

fn table(keys: &[ApiKey], now: u64) -> String {
    if keys.is_empty() {
        return "no keys; `use-aa key issue` makes one".into();
    }
    let mut text = format!("{:<14}{:<10}{:<20}{:<30}{}", "id", "chain", "scopes", "state", "label");
    for key in keys {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.name()).collect();
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked at {at}"),
            (None, Some(end)) if now >= end => format!("expired at {end}"),
            (None, Some(end)) => format!("good until {end}"),
            (None, None) => "good".into(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{:<14}{:<10}{:<20}{state:<30}{}", key.id, key.chain_id, scopes.join(","), key.label);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        key: KeyArgs,
    }

    async fn key(folder: &std::path::Path, words: &str) -> Result<String, KeyCommandError> {
        let folder = folder.to_str().unwrap();
        let words = ["key", "--data-dir", folder].into_iter().chain(words.split(' '));
        run(Cli::try_parse_from(words).unwrap().key).await
    }

    #[tokio::test]
    async fn a_key_is_issued_listed_and_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let issued =
            key(folder.path(), "issue --chain-id 80002 --label shop --expires 30d --scope paymaster").await.unwrap();
        let secret = issued.lines().next().unwrap();
        let id = secret.split('.').next().unwrap();
        let database = Database::in_folder(folder.path());
        assert_eq!(database.verify_key(80_002, secret).await.unwrap().label, "shop");
        let listed = key(folder.path(), "list").await.unwrap();
        assert!(listed.contains(id) && listed.contains("shop") && listed.contains("good until"), "{listed}");
        assert!(!listed.contains(secret.split('.').nth(1).unwrap()), "the secret half is not shown again");
        key(folder.path(), &format!("revoke {id}")).await.unwrap();
        assert!(matches!(key(folder.path(), &format!("revoke {id}")).await, Err(KeyCommandError::NoSuchKey(_))));
        let json: serde_json::Value = serde_json::from_str(&key(folder.path(), "list --json").await.unwrap()).unwrap();
        assert_eq!((&json[0]["id"], &json[0]["scopes"]), (&serde_json::json!(id), &serde_json::json!(["paymaster"])));
        assert!(json[0]["revokedAt"].is_u64());
    }

    #[tokio::test]
    async fn wrong_values_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (words, name) in [
            ("issue --chain-id 1 --label x --scope bundler,dan", "--scope"),
            ("issue --chain-id 1 --label x --expires tomorrow", "--expires"),
            ("issue --chain-id 1 --label x --expires 5", "--expires"),
            ("issue --chain-id 1 --label x --budget-per-day 1.5", "--budget-per-day"),
            ("issue --chain-id 1 --label=", "--label"),
        ] {
            let error = key(folder.path(), words).await.unwrap_err();
            assert!(error.to_string().starts_with(name), "{words}: {error}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(moment("90s", 1_000), Some(1_090));
        assert_eq!(moment("2d", 1_000), Some(173_800));
        assert_eq!(moment("1900000000", 1_000), Some(1_900_000_000));
        assert_eq!(
            (moment("", 0), moment("d", 0), moment("-1h", 0), moment("99999999999999999999d", 0)),
            (None, None, None, None)
        );
    }
}

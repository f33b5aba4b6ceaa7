//! The configuration of a server without a command line of its own: an app on the crate.

use clap::{Args, Command, FromArgMatches};

use super::{Config, ConfigError, ServeArgs};
use crate::lab_links::LabLinks;

impl Config {
    /// From the environment (`USE_AA_…`), for the server of your own app. Such a server starts no lab: the networks are
    /// told by `USE_AA_RPC_URL` and `USE_AA_BUNDLER_URL`, or by `USE_AA_LAB_JSON` when a lab runs already.
    ///
    /// # Errors
    /// The first wrong value with its variable; the same when no network is told.
    pub fn from_env() -> Result<Self, ConfigError> {
        let command = ServeArgs::augment_args(Command::new("app"));
        let args = command.try_get_matches_from(["app"]).and_then(|matches| ServeArgs::from_arg_matches(&matches));
        // Each is text, whose content is checked later.
        let args = args.map_err(|_| ConfigError::new("USE_AA_…", "text in UTF-8", "something else (not shown)"))?;
        Self::without_starting_a_lab(&args)
    }

    fn without_starting_a_lab(args: &ServeArgs) -> Result<Self, ConfigError> {
        let mut config = Self::from_args(args)?;
        if let Some(file) = config.lab_json.clone() {
            LabLinks::read(&file)?.fill(&mut config);
        }
        if config.rpc_urls.is_empty() {
            let expected = "the URL of a chain's node, with that of a bundler in USE_AA_BUNDLER_URL (for a lab: \
                            USE_AA_LAB_JSON, a file with what `use-aa lab --json` prints)";
            return Err(ConfigError::new("USE_AA_RPC_URL", expected, "nothing"));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_app_without_networks_is_told_what_to_set() {
        let error = Config::without_starting_a_lab(&ServeArgs::default()).unwrap_err();
        assert_eq!(error.variable, "USE_AA_RPC_URL");
        assert!(error.to_string().contains("USE_AA_LAB_JSON"), "{error}");
        let lab_json = Some("/nowhere/lab.json".to_owned());
        let error = Config::without_starting_a_lab(&ServeArgs { lab_json, ..ServeArgs::default() }).unwrap_err();
        assert_eq!(error.variable, "USE_AA_LAB_JSON");
        let of = |url: &str| Some(url.parse().unwrap());
        let args = ServeArgs {
            rpc_url: of("http://127.0.0.1:1"),
            bundler_url: of("http://127.0.0.1:2"),
            ..ServeArgs::default()
        };
        assert!(!Config::without_starting_a_lab(&args).unwrap().lab);
    }
}

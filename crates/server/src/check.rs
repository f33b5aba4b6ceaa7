//! `use-aa serve --check`: would a server with this configuration work?

use std::time::Duration;

use super::{
    config::{Config, PAYMASTER_CONTEXT},
    node::{ChainNode, Trial},
    page_sponsorship,
    paymaster::Paymaster,
    readiness,
    state::ServerState,
    upstream_url::UpstreamUrl,
};
use use_aa_actions::error::{AppError, Upstream};

/// How long one upstream may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks everything that `config` names; every entry of every failover list for its chain, because the first one that
/// answers would hide the others; each node also what pages will ask of it. One line for each thing that was found, and whether all of them are good.
pub async fn check(config: Config) -> (Vec<String>, bool) {
    let (nodes, bundlers) = (config.rpc_urls.clone(), config.bundler_urls.clone());
    let (expected, lab) = (config.chain_id, config.lab);
    let dan_nodes = config.dan_nodes.clone();
    let mut findings = Findings { lines: Vec::new(), good: true };
    let pages = page_sponsorship::description(&config);
    let context = config.context_description();
    let state = match ServerState::with_upstream_timeout(config, PATIENCE) {
        Ok(state) => state,
        Err(error) => {
            findings.line("configuration".into(), Err(error));
            return (findings.lines, findings.good);
        }
    };
    let key_nodes = async {
        match state.dan() {
            Ok(nodes) => nodes.check().await,
            Err(_) => Vec::new(),
        }
    };
    let service_context = async {
        match state.paymaster() {
            Some(Paymaster::Erc7677(service)) => service.try_context().await,
            _ => Ok(()),
        }
    };
    let (node_chains, bundler_chains, report, database, key_nodes, taken) = tokio::join!(
        state.node().chain_ids(),
        state.bundler().chain_ids(),
        readiness::report(&state),
        // Cached once more: the report is for callers, who are not told why.
        state.database().ping(),
        key_nodes,
        service_context,
    );
    let on_chain: Vec<bool> = node_chains.iter().map(|answer| *answer == Ok(expected)).collect();
    findings.chains(Upstream::Node, &nodes, node_chains, expected);
    for (index, url) in nodes.iter().enumerate().filter(|(index, _)| on_chain.get(*index) == Some(&true)) {
        let answers = match ChainNode::new(std::slice::from_ref(url), expected, PATIENCE) {
            Ok(node) => node.try_out().await,
            Err(error) => Err(error),
        };
        findings.trial(format!("{} {} of {}", Upstream::Node, index + 1, nodes.len()), answers);
    }
    findings.chains(Upstream::Bundler, &bundlers, bundler_chains, expected);
    for upstream in report.upstreams {
        match upstream.name {
            // Each was asked already.
            Upstream::Node => {}
            // There is none before the lab is started.
            Upstream::Bundler if lab => {}
            Upstream::Database => {}
            Upstream::Bundler => findings.line("bundler's entry point".into(), upstream.error.map_or(Ok(()), Err)),
            name => findings.line(name.to_string(), upstream.error.map_or(Ok(()), Err)),
        }
    }
    match (taken, context) {
        (Err(error), context) => {
            let what = if context.is_some() { "does not take it" } else { "wants one, and none is set" };
            findings.line(format!("{PAYMASTER_CONTEXT}: the paymaster service {what}"), Err(error));
        }
        (Ok(()), Some(context)) => findings.line(context, Ok::<_, AppError>(())),
        (Ok(()), None) => {}
    }
    findings.line(Upstream::Database.to_string(), database);
    for (index, (node, result)) in dan_nodes.iter().zip(key_nodes).enumerate() {
        findings.line(format!("key node {} of {} ({})", index + 1, dan_nodes.len(), node.url), result);
    }
    if let Some(description) = pages {
        findings.line(description.into(), Ok::<_, AppError>(()));
    }
    (findings.lines, findings.good)
}

struct Findings {
    lines: Vec<String>,
    good: bool,
}

impl Findings {
    /// The URLs are printed without what may be secret in them.
    fn chains(&mut self, upstream: Upstream, urls: &[UpstreamUrl], answers: Vec<Result<u64, AppError>>, expected: u64) {
        for (index, (url, answer)) in urls.iter().zip(answers).enumerate() {
            let result = match answer {
                Ok(actual) if actual == expected => Ok(()),
                Ok(actual) => {
                    let reason = format!("it is on chain {actual}, USE_AA_CHAIN_ID is {expected}");
                    Err(AppError::UpstreamMalformed { upstream, reason })
                }
                // A bundler without the method: whether it serves the entry point is asked, too.
                Err(AppError::UpstreamRejected { .. }) if upstream == Upstream::Bundler => Ok(()),
                Err(error) => Err(error),
            };
            self.line(format!("{upstream} {} of {} ({url})", index + 1, urls.len()), result);
        }
    }

    /// What a node takes of what pages ask.
    fn trial(&mut self, node: String, answers: Result<Trial, AppError>) {
        let all = "what pages ask of it";
        match answers {
            Ok(Trial { calls, blocks, counted }) => {
                let calls = if calls == 1 { "no batches".into() } else { format!("{calls} calls in one request") };
                let what = format!("{node}: {calls}, logs of {blocks} blocks at once; uses are counted in {counted}");
                self.line(what, Ok::<_, AppError>(()));
            }
            // It answers; on a chain without the contracts of accounts, such as a new one, it says nothing of them.
            Err(error @ AppError::UpstreamMalformed { .. }) => {
                self.lines.push(format!("note  {node}: {all}: {error}"));
            }
            Err(error) => self.line(format!("{node}: {all}"), Err(error)),
        }
    }

    fn line(&mut self, what: String, result: Result<(), impl std::fmt::Display>) {
        self.good &= result.is_ok();
        self.lines.push(match result {
            Ok(()) => format!("ok    {what}"),
            Err(error) => format!("WRONG {what}: {error}"),
        });
    }
}

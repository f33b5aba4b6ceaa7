//! `use-aa dan-bans` and `use-aa dan-unban`: which nodes do not work with which others, why, and that they shall again.

use futures::future::join_all;

use super::operator::{Network, NodesArgs, OperatorError, said};
use use_aa_dan::api::{Ban, BansAnswer, LiftAnswer, LiftRequest};
use use_aa_dan::client::{DanNode, Failure};
use use_aa_protocol::describe::utc;

/// Options of `use-aa dan-bans`.
#[derive(Debug, clap::Args)]
pub struct BansArgs {
    #[command(flatten)]
    nodes: NodesArgs,
}

/// Options of `use-aa dan-unban`.
#[derive(Debug, clap::Args)]
pub struct UnbanArgs {
    /// Id of the node that is banned, from 1
    #[arg(long, value_name = "NUMBER")]
    node: u8,
    /// Only at this node, and not at all that banned it
    #[arg(long, value_name = "NUMBER")]
    at: Option<u8>,
    #[command(flatten)]
    nodes: NodesArgs,
}

/// Every ban with its evidence; `say` gets a line for each, or one for a node that has none.
///
/// # Errors
/// See [`OperatorError`]; nodes that answer are listed in any case.
pub async fn list(args: BansArgs, mut say: impl FnMut(String)) -> Result<(), OperatorError> {
    let network = Network::new(&args.nodes)?;
    let ask = |node| async move {
        let node: &DanNode = node;
        node.get::<BansAnswer>("/v1/bans", super::operator::QUICK).await.map(|answer| answer.bans)
    };
    let answers = join_all(network.nodes.iter().map(ask)).await;
    let lines = |node: u8, bans: Vec<Ban>| match bans.is_empty() {
        true => vec![format!("node {node}: no bans")],
        false => bans.iter().map(|ban| format!("node {node} banned node {}", described(ban))).collect(),
    };
    finish(network.nodes.iter().zip(answers).map(|(node, answer)| answer.map(|bans| lines(node.id, bans))), &mut say)
}

/// Lifts the bans of a node; `say` gets a line for each node that was asked.
///
/// # Errors
/// See [`OperatorError`]; the nodes that answer lift theirs in any case.
pub async fn lift(args: UnbanArgs, mut say: impl FnMut(String)) -> Result<(), OperatorError> {
    let network = Network::new(&args.nodes)?;
    network.must_have("--node", args.node)?;
    if let Some(at) = args.at {
        network.must_have("--at", at)?;
    }
    let asked: Vec<_> =
        network.nodes.iter().filter(|node| node.id != args.node && args.at.is_none_or(|at| at == node.id)).collect();
    let request = LiftRequest { node: args.node };
    let lifting = asked.iter().map(|node| node.post::<LiftAnswer>("/v1/bans/lift", &request, super::operator::QUICK));
    let answers = join_all(lifting).await;
    let line = |node: u8, lifted: Option<Ban>| match lifted {
        Some(ban) => format!("node {node} works again with node {}", described(&ban)),
        None => format!("node {node}: node {} was not banned", args.node),
    };
    finish(asked.iter().zip(answers).map(|(node, answer)| answer.map(|it| vec![line(node.id, it.lifted)])), &mut say)
}

/// Says what was answered; fails when some did not answer.
fn finish(
    answers: impl Iterator<Item = Result<Vec<String>, Failure>>,
    say: &mut impl FnMut(String),
) -> Result<(), OperatorError> {
    let (mut failed, mut all) = (0, 0);
    for answer in answers {
        all += 1;
        match answer {
            Ok(lines) => lines.into_iter().for_each(&mut *say),
            Err(failure) => {
                failed += 1;
                say(said(&failure));
            }
        }
    }
    if failed > 0 { Err(OperatorError::Unanswered { failed, all }) } else { Ok(()) }
}

/// Whom, when, why, and in which run.
fn described(ban: &Ban) -> String {
    let run = ban.evidence.as_ref().map_or("  in which run was not written down".to_owned(), |evidence| {
        let nodes = evidence.participants.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "  {}, round {}, nodes {nodes}; key {}, epoch {}; run {}",
            evidence.kind.name(),
            evidence.round,
            evidence.key_id,
            evidence.epoch,
            evidence.run
        )
    });
    format!("{} (since {}): {}\n{run}", ban.node, utc(ban.at), ban.reason)
}

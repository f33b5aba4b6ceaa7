//! Several calls in one request, in as many as an upstream takes.
//!
//! Some take three calls, some none at all. They say so by one error, by a list with one, by an error for each call, by
//! HTTP 4xx or 5xx. So whoever fails at a batch is asked its first call alone: when that is answered, the batch was too
//! long, and its next ones are shorter.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::metrics,
    JsonRpcClient,
    refusal::{fewer_calls, is_about_block, words_of},
    request,
    wire::Failure,
};
use use_aa_actions::error::AppError;

/// Parts of one batch at the same time.
const PARTS_AT_ONCE: usize = 4;

/// A call's place in the batch, and what came of it.
type Answered = (usize, Result<Value, Failure>);

/// What came of a part of a batch.
struct Part {
    answered: Vec<Answered>,
    /// To be asked again, in shorter parts.
    left: Vec<usize>,
}

impl JsonRpcClient {
    /// The longest batch that an URL is known to take, or not known not to.
    pub(in super::super) fn longest_batch(&self) -> usize {
        self.inner.endpoints.iter().map(|endpoint| endpoint.manners.batch()).max().unwrap_or(usize::MAX)
    }

    /// Answers to several calls, in the order of `calls` whatever the upstream's order is. What one URL does not answer
    /// the next one is asked.
    pub(in super::super) async fn batch(
        &self,
        calls: &[(&str, Value)],
    ) -> Result<Vec<Result<Value, AppError>>, AppError> {
        self.batch_by(calls).await.map(|(_, answers)| answers)
    }

    /// As [`Self::batch`], with the place in the list of the URL that gave each answer.
    pub(in super::super) async fn batch_by(
        &self,
        calls: &[(&str, Value)],
    ) -> Result<(Vec<usize>, Vec<Result<Value, AppError>>), AppError> {
        let mut by = vec![0; calls.len()];
        let deadline = Instant::now() + self.patience();
        let mut answers: Vec<Option<Result<Value, AppError>>> = vec![None; calls.len()];
        let mut refused: Vec<Option<AppError>> = vec![None; calls.len()];
        let mut last = None;
        for round in 0.. {
            let mut again = false;
            // A method that wants fewer requests.
            let mut limited = "";
            for index in self.usable() {
                let open = (0..calls.len()).filter(|place| answers.get(*place).is_some_and(Option::is_none));
                match self.batch_at(index, calls, open.collect(), deadline).await {
                    Ok(answered) => {
                        for (place, answer) in answered {
                            let (Some(by), Some(answers), Some(refused)) =
                                (by.get_mut(place), answers.get_mut(place), refused.get_mut(place))
                            else {
                                continue;
                            };
                            *by = index;
                            match answer {
                                Ok(value) => *answers = Some(Ok(value)),
                                Err(Failure::Answer(error)) => *answers = Some(Err(error)),
                                Err(failure) => {
                                    if failure.may_be_gone() {
                                        again = true;
                                        limited = calls.get(place).map_or("", |(method, _)| method);
                                    }
                                    *refused = Some(failure.error().clone());
                                }
                            }
                        }
                    }
                    Err(Failure::Answer(error)) => return Err(error),
                    Err(failure) => {
                        again |= failure.may_be_gone();
                        last = Some(failure.error().clone());
                    }
                }
                if answers.iter().all(Option::is_some) {
                    return Ok((by, answers.into_iter().flatten().collect()));
                }
            }
            match self.pause_before_another_round(limited, round, again, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        let lost = last.unwrap_or_else(|| self.nobody_left());
        let answers = answers.into_iter().zip(refused);
        let answers = answers.map(|(answer, refused)| answer.or(refused.map(Err)).ok_or(lost.clone()));
        Ok((by, answers.collect::<Result<_, _>>()?))
    }

    /// As [`Self::batch`], of one URL, without failover.
    pub(in super::super) async fn batch_of(
        &self,
        index: usize,
        calls: &[(&str, Value)],
    ) -> Result<Vec<Result<Value, AppError>>, AppError> {
        let deadline = Instant::now() + self.inner.timeout;
        let answered = self.batch_at(index, calls, (0..calls.len()).collect(), deadline).await;
        let mut answered = answered.map_err(|failure| failure.error().clone())?;
        answered.sort_by_key(|(place, _)| *place);
        Ok(answered.into_iter().map(|(_, answer)| answer.map_err(|failure| failure.error().clone())).collect())
    }

    /// The calls at these places, asked of one URL: the answers of all of them, or what is wrong with the URL.
    async fn batch_at(
        &self,
        index: usize,
        calls: &[(&str, Value)],
        mut open: Vec<usize>,
        deadline: Instant,
    ) -> Result<Vec<Answered>, Failure> {
        let mut answered = Vec::new();
        open.retain(|place| {
            let resting = calls.get(*place).and_then(|(method, _)| self.resting(index, method));
            let rests = resting.is_some();
            let limited = |error| Failure::Limited { error, rest: Duration::ZERO };
            answered.extend(resting.map(|error| (*place, Err(limited(error)))));
            !rests
        });
        if open.is_empty() {
            self.left_out(index);
        }
        while !open.is_empty() {
            let most = self.inner.endpoints.get(index).map_or(usize::MAX, |endpoint| endpoint.manners.batch());
            let parts: Vec<Vec<usize>> = open.chunks(most.max(1)).map(<[usize]>::to_vec).collect();
            let asked = parts.into_iter().map(|part| self.part_at(index, calls, part, deadline));
            let asked: Vec<_> = futures::stream::iter(asked).buffered(PARTS_AT_ONCE).collect().await;
            open.clear();
            for part in asked {
                let part = part?;
                answered.extend(part.answered);
                open.extend(part.left);
            }
        }
        Ok(answered)
    }

    async fn part_at(
        &self,
        index: usize,
        calls: &[(&str, Value)],
        places: Vec<usize>,
        deadline: Instant,
    ) -> Result<Part, Failure> {
        if let [place] = places.as_slice() {
            let answer = self.alone_at(index, calls, *place, deadline).await?;
            return Ok(Part { answered: vec![(*place, answer)], left: Vec::new() });
        }
        let chosen: Vec<&(&str, Value)> = places.iter().filter_map(|place| calls.get(*place)).collect();
        let first = self.next_ids(chosen.len() as u64);
        let requests = chosen.iter().zip(first..).map(|((method, params), id)| request(method, params, id)).collect();
        let methods: Vec<&str> = chosen.iter().map(|(method, _)| *method).collect();
        let begun = Instant::now();
        let read = |answer| self.inner.reader.results_of(&methods, first, answer);
        match self.attempt(index, "", &Value::Array(requests), deadline, &read).await {
            Ok(outcomes) => {
                let answered: Vec<Answered> = places.into_iter().zip(outcomes).collect();
                match self.refused_as_batch(&answered) {
                    Some(error) => self.shorter(index, calls, answered, &error, deadline).await,
                    None => {
                        for (method, (_, outcome)) in methods.iter().zip(&answered) {
                            if let Err(Failure::Limited { error, rest }) = outcome {
                                self.limited(index, method, error, *rest);
                            }
                        }
                        Ok(Part { answered, left: Vec::new() })
                    }
                }
            }
            Err(failure) => {
                // Who took long has no quick answer to one call either.
                let quick = begun.elapsed() < self.inner.timeout / 2;
                if !quick || !matches!(failure, Failure::Answer(_) | Failure::Refused(_) | Failure::Transport { .. }) {
                    return Err(failure);
                }
                let error = failure.error().clone();
                let all = places.into_iter().map(|place| (place, Err(failure.clone()))).collect();
                let part = self.shorter(index, calls, all, &error, deadline).await?;
                // It was not the batch.
                if part.left.is_empty() { Err(failure) } else { Ok(part) }
            }
        }
    }

    /// After a batch was refused: its first call that was, alone. When that is answered the batch was too long.
    async fn shorter(
        &self,
        index: usize,
        calls: &[(&str, Value)],
        mut outcomes: Vec<Answered>,
        error: &AppError,
        deadline: Instant,
    ) -> Result<Part, Failure> {
        let refused = outcomes.iter().position(|(_, outcome)| outcome.is_err());
        let Some((asked, place)) = refused.and_then(|at| Some((at, outcomes.get(at)?.0))) else {
            return Ok(Part { answered: outcomes, left: Vec::new() });
        };
        let alone = self.alone_at(index, calls, place, deadline).await?;
        if alone.as_ref().err().is_some_and(|failure| words_of(failure.error()) == words_of(error)) {
            return Ok(Part { answered: outcomes, left: Vec::new() });
        }
        let taken = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        let calls_taken = if taken > 0 { taken } else { fewer_calls(error, outcomes.len()) };
        if let Some(endpoint) = self.inner.endpoints.get(index) {
            let upstream = self.inner.reader.upstream;
            tracing::info!(%upstream, entry = index, calls_taken, %error, "upstream takes shorter batches only");
            metrics::refused(upstream, index, "batch");
            endpoint.manners.takes_batches_of(calls_taken);
        }
        let _ = outcomes.remove(asked);
        let (mut answered, left): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
        answered.push((place, alone));
        Ok(Part { answered, left: left.into_iter().map(|(place, _)| place).collect() })
    }

    /// One of the calls, not in a batch. Fails when something is wrong with the URL.
    async fn alone_at(
        &self,
        index: usize,
        calls: &[(&str, Value)],
        place: usize,
        deadline: Instant,
    ) -> Result<Result<Value, Failure>, Failure> {
        let Some((method, params)) = calls.get(place) else {
            return Err(Failure::Unreached(self.nobody_left()));
        };
        match self.single_at(index, method, params, deadline).await {
            Err(
                failure @ (Failure::Unreached(_)
                | Failure::Transport { .. }
                | Failure::Oversized(_)
                | Failure::Limited { error: AppError::UpstreamUnavailable { .. }, .. }),
            ) => Err(failure),
            answer => Ok(answer),
        }
    }

    /// The answers to a batch say that it is too long, or may say so: all calls are refused in the same words.
    fn refused_as_batch(&self, answered: &[Answered]) -> Option<AppError> {
        let refusals: Vec<&AppError> =
            answered.iter().filter_map(|(_, outcome)| outcome.as_ref().err().map(Failure::error)).collect();
        let of_batch = |error: &&&AppError| words_of(error).to_lowercase().contains("batch");
        if let Some(error) = refusals.iter().find(of_batch) {
            return Some((**error).clone());
        }
        let first = refusals.first()?;
        let alike = refusals.len() == answered.len()
            && answered.len() > 1
            && refusals.iter().all(|error| error == first)
            && !is_about_block(first)
            && !matches!(first, AppError::UpstreamRejected { code: 3, .. });
        alike.then(|| (*first).clone())
    }
}

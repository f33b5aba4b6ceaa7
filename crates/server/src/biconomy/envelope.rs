//! JSON-RPC 2.0 around the calls: single ones and batches, ids of any type, notifications.

use axum::http::StatusCode;
use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::{super::json_shape, errors::RpcError};

/// Most calls in a batch.
const MAX_BATCH: usize = 50;
/// So many calls of a batch run at the same time.
const AT_ONCE: usize = 8;
/// Longest name of a method that is looked at.
const MAX_METHOD: usize = 80;

/// What goes back.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// To a single call.
    One(StatusCode, Value),
    /// To a batch, in the order of its calls; always with status 200.
    Many(Vec<Value>),
    /// To notifications.
    Nothing,
}

/// Answers a body with `call`, which is given a method and its parameters.
pub(super) async fn answer<C, F>(body: &[u8], call: C) -> Answer
where
    C: Fn(String, Vec<Value>) -> F,
    F: Future<Output = Result<Value, RpcError>>,
{
    match parse(body) {
        Ok(Value::Array(requests)) if requests.is_empty() => refused(RpcError::no_request("an empty batch")),
        Ok(Value::Array(requests)) if requests.len() > MAX_BATCH => {
            refused(RpcError::too_large(format!("{MAX_BATCH} calls in a batch")))
        }
        Ok(Value::Array(requests)) => {
            // Not lazily mapped: all futures are of one type and run side by side.
            let answers: Vec<Option<Value>> = stream::iter(requests.into_iter().map(|request| one(request, &call)))
                .buffered(AT_ONCE)
                .map(|answer| answer.map(|(_, answer)| answer))
                .collect()
                .await;
            let answers: Vec<Value> = answers.into_iter().flatten().collect();
            if answers.is_empty() { Answer::Nothing } else { Answer::Many(answers) }
        }
        Ok(request) => match one(request, &call).await {
            Some((status, answer)) => Answer::One(status, answer),
            None => Answer::Nothing,
        },
        Err(error) => refused(error),
    }
}

fn parse(body: &[u8]) -> Result<Value, RpcError> {
    if !json_shape::is_modest(body, json_shape::REQUEST) {
        return Err(RpcError::no_request("JSON nested too deeply, or of too many values"));
    }
    serde_json::from_slice(body).map_err(|_| RpcError::unreadable())
}

fn refused(error: RpcError) -> Answer {
    Answer::One(error.status, error.body(&Value::Null))
}

/// One call; `None` for a notification.
async fn one<C, F>(request: Value, call: &C) -> Option<(StatusCode, Value)>
where
    C: Fn(String, Vec<Value>) -> F,
    F: Future<Output = Result<Value, RpcError>>,
{
    let Value::Object(mut request) = request else {
        return Some(failed(&RpcError::no_request("no JSON-RPC request"), &Value::Null));
    };
    let id = request.remove("id");
    let result = match read(&mut request) {
        Ok((method, params)) => call(method, params).await,
        // Not known to be a notification.
        Err(error) => return Some(failed(&error, id.as_ref().unwrap_or(&Value::Null))),
    };
    let id = id?;
    Some(match result {
        Ok(result) => (StatusCode::OK, json!({"jsonrpc": "2.0", "id": id, "result": result})),
        Err(error) => failed(&error, &id),
    })
}

fn failed(error: &RpcError, id: &Value) -> (StatusCode, Value) {
    (error.status, error.body(id))
}

/// Method and parameters. A missing `jsonrpc` is overlooked, as Biconomy's service overlooks it.
fn read(request: &mut Map<String, Value>) -> Result<(String, Vec<Value>), RpcError> {
    if request.get("jsonrpc").is_some_and(|version| version != "2.0") {
        return Err(RpcError::no_request("jsonrpc should be 2.0"));
    }
    let method = match request.remove("method") {
        Some(Value::String(method)) if (1..=MAX_METHOD).contains(&method.len()) => method,
        _ => return Err(RpcError::no_request("method should be the name of a method")),
    };
    match request.remove("params") {
        None | Some(Value::Null) => Ok((method, Vec::new())),
        Some(Value::Array(params)) => Ok((method, params)),
        Some(_) => Err(RpcError::fields("params should be an array")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Mutex;

    use super::*;

    /// Echoes the parameters; `fail` fails. Says which methods were called.
    async fn ask(body: Value) -> (Answer, Vec<String>) {
        let called = Mutex::new(Vec::new());
        let answer = answer(body.to_string().as_bytes(), |method, params| {
            called.lock().unwrap().push(method.clone());
            async move {
                match method.as_str() {
                    "fail" => Err(RpcError::fields("no")),
                    _ => Ok(Value::Array(params)),
                }
            }
        })
        .await;
        (answer, called.into_inner().unwrap())
    }

    fn code(answer: &Answer) -> i64 {
        match answer {
            Answer::One(_, answer) => answer["error"]["code"].as_i64().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn ids_of_any_type_come_back() {
        for id in [json!(1723000000), json!("abc"), json!(null), json!(1.5)] {
            let (answer, _) = ask(json!({"jsonrpc": "2.0", "id": id, "method": "m", "params": [1]})).await;
            let expected = json!({"jsonrpc": "2.0", "id": id, "result": [1]});
            assert_eq!(answer, Answer::One(StatusCode::OK, expected));
        }
    }

    #[tokio::test]
    async fn notifications_are_done_and_not_answered() {
        let (answer, called) = ask(json!({"jsonrpc": "2.0", "method": "fail"})).await;
        assert_eq!((answer, called), (Answer::Nothing, vec!["fail".to_owned()]));
        let (answer, called) = ask(json!([{"method": "a"}, {"method": "b"}])).await;
        assert_eq!((answer, called.len()), (Answer::Nothing, 2));
    }

    #[tokio::test]
    async fn a_batch_is_answered_in_order_with_failures_among_the_rest() {
        let (answer, _) =
            ask(json!([{"method": "a", "id": 2}, 7, {"method": "b"}, {"method": "fail", "id": "x"}])).await;
        let Answer::Many(answers) = answer else { panic!("{answer:?}") };
        let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
        assert_eq!(ids, [json!(2), json!(null), json!("x")]);
        assert_eq!(answers[1]["error"]["code"], -32600);
        assert_eq!(answers[2]["error"]["code"], -32602);
    }

    #[tokio::test]
    async fn what_is_no_request_is_said_to_be_none() {
        for body in [json!([]), json!("x"), json!({"id": 1}), json!({"id": 1, "method": "m", "jsonrpc": "1.0"})] {
            let (answer, called) = ask(body.clone()).await;
            assert_eq!((code(&answer), called.len()), (-32600, 0), "{body}");
        }
        assert_eq!(code(&ask(json!({"method": "m", "params": {"a": 1}, "id": 1})).await.0), -32602);
        let broken = answer(b"{", |_, _| async { Ok(Value::Null) }).await;
        assert_eq!(code(&broken), -32700);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(code(&answer(deep.as_bytes(), |_, _| async { Ok(Value::Null) }).await), -32600);
        let long: Vec<_> = (0..=MAX_BATCH).map(|id| json!({"method": "m", "id": id})).collect();
        assert!(matches!(ask(json!(long)).await.0, Answer::One(StatusCode::PAYLOAD_TOO_LARGE, _)));
    }
}

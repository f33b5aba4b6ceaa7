//! Webhooks, asked over real sockets: what they are sent, what counts as a yes.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::any,
};

use super::*;

/// What a webhook was sent: method, path with query, authorization, body.
type Seen = Arc<Mutex<Vec<(String, String, Option<String>, Value)>>>;

/// A webhook service on a free port; the path says what it does.
async fn service() -> (String, Seen) {
    let seen = Seen::default();
    let app = Router::new().route("/{what}", any(answer)).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

async fn answer(State(seen): State<Seen>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let authorization = parts.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let path = parts.uri.path().to_owned();
    seen.lock().unwrap().push((parts.method.to_string(), parts.uri.to_string(), authorization, body));
    match path.as_str() {
        "/yes" => Json(json!({"arePoliciesVerified": true})).into_response(),
        "/no" => Json(json!({"arePoliciesVerified": false})).into_response(),
        "/text" => "sure".into_response(),
        "/maybe" => Json(json!({"arePoliciesVerified": "true"})).into_response(),
        "/error" => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"arePoliciesVerified": true}))).into_response(),
        "/elsewhere" => Redirect::temporary("/yes").into_response(),
        "/long" => format!("{{\"arePoliciesVerified\": true, \"x\": \"{}\"}}", "x".repeat(100_000)).into_response(),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Json(json!({"arePoliciesVerified": true})).into_response()
        }
        other => (StatusCode::NOT_FOUND, other.to_owned()).into_response(),
    }
}

const HEAD: &str = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"\n";

fn with_data() -> Value {
    let mut asking = asking(account(1), 0);
    asking["context"]["webhookData"] = json!({"order": "42", "of": ["é"]});
    asking
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_needed_and_the_body_is_the_documented_one() {
    let (hook, seen) = service().await;
    let upstream = upstream().await;
    let (_folder, url) = sqlite();
    let text = format!("{HEAD}[[webhooks]]\nurl = \"{hook}/yes\"\nauthorization_env = \"X\"");
    let server = server(&upstream, policy(&text), &url).await;
    let (status, answer) = server.call("sponsor_user_operation", &with_data()).await;
    assert_eq!(status, 200, "{answer}");
    let calls = seen.lock().unwrap().clone();
    let body = json!({"data": {"order": "42", "of": ["é"]}});
    assert_eq!(calls, [("POST".into(), "/yes".into(), Some("Bearer of-the-hook".into()), body)]);
    let entry = ledger(&url).await.remove(0);
    let told: Value = serde_json::from_str(entry.webhooks.as_deref().unwrap()).unwrap();
    assert_eq!((&told[0]["webhook"], &told[0]["verified"]), (&json!(hook), &json!(true)));
    assert!(!entry.webhooks.unwrap().contains("/yes"), "a path may be a secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn get_and_the_operation_when_they_are_asked_for() {
    let (hook, seen) = service().await;
    let upstream = upstream().await;
    let (_folder, url) = sqlite();
    let get = format!("[[webhooks]]\nurl = \"{hook}/yes?shop=7\"\nmethod = \"GET\"\n");
    let whole = format!("[[webhooks]]\nurl = \"{hook}/yes\"\ninclude_operation = true\n");
    let server = server(&upstream, policy(&format!("{HEAD}{get}{whole}")), &url).await;
    assert_eq!(server.call("sponsor_user_operation", &with_data()).await.0, 200);
    let calls = seen.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    let get = calls.iter().find(|call| call.0 == "GET").unwrap();
    assert!(get.1.starts_with("/yes?shop=7&data=%7B%22order%22%3A%2242%22"), "{}", get.1);
    let post = &calls.iter().find(|call| call.0 == "POST").unwrap().3;
    let operation = &post["operation"];
    assert_eq!((&operation["chainId"], &operation["mode"]), (&json!(CHAIN), &json!("SPONSORED")));
    assert_eq!(operation["calls"][0]["to"], json!(DEMO_NFT));
    assert_eq!(operation["sender"], json!(account(1)));
}

/// Everything but a timely yes is a no, and nothing is signed or reserved.
#[tokio::test(flavor = "multi_thread")]
async fn it_fails_closed() {
    let (hook, _) = service().await;
    let upstream = upstream().await;
    let nobody = server_support::nobody().await;
    for (target, told) in [
        (format!("{hook}/no"), "does not agree"),
        (format!("{hook}/text"), "not JSON"),
        (format!("{hook}/maybe"), "no arePoliciesVerified"),
        (format!("{hook}/error"), "HTTP status 500"),
        (format!("{hook}/elsewhere"), "HTTP status 307"),
        (format!("{hook}/long"), "more than 64 KiB"),
        (format!("{hook}/slow"), "no answer within 300 ms"),
        (nobody.clone(), "cannot be asked"),
    ] {
        let (_folder, url) = sqlite();
        // The second one agrees: all must.
        let hooks = format!("[[webhooks]]\nurl = \"{target}\"\ntimeout_ms = 300\n[[webhooks]]\nurl = \"{hook}/yes\"");
        let server = server(&upstream, policy(&format!("{HEAD}{hooks}")), &url).await;
        let begun = Instant::now();
        let (status, answer) = server.call("sponsor_user_operation", &with_data()).await;
        assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{target}: {answer}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains(told), "{target}: {reason}");
        assert!(!reason.contains(server_support::SECRET), "{reason}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{target}: {:?}", begun.elapsed());
        let entry = ledger(&url).await.remove(0);
        assert_eq!((entry.outcome.as_str(), used_gwei(&url).await), ("refused", 0));
        assert!(entry.webhooks.unwrap().contains("\"verified\":true"), "what the second one said is kept, too");
    }
}

//! `/operations/{hash}`: what the server says of an operation, to whoever runs no code.

use super::*;
use server_support::nobody;
use use_aa::server::state::ServerState;

/// Status, headers that matter, and the HTML.
struct Page {
    status: u16,
    robots: String,
    html: String,
}

impl Page {
    async fn at(server: &Server, path: &str) -> Self {
        Self::of(server.client.get(format!("{}{path}", server.url))).await
    }

    /// As the proxy of this machine asks for somebody.
    async fn for_address(server: &Server, path: &str, address: &str) -> Self {
        Self::of(server.client.get(format!("{}{path}", server.url)).header("x-forwarded-for", address)).await
    }

    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let robots = response.headers().get("x-robots-tag").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        Self { status, robots: robots.unwrap_or_default(), html: response.text().await.unwrap() }
    }

    /// What a person reads in its main part.
    fn text(&self) -> String {
        let main = self.html.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
        let pieces = main.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text);
        pieces.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn says(&self, status: u16, words: &[&str]) {
        let text = self.text();
        assert_eq!(self.status, status, "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(self.robots, "noindex, nofollow");
        assert!(self.html.contains("<meta name=\"robots\" content=\"noindex, nofollow\""), "no search engine keeps it");
        assert!(!self.html.contains(server_support::SECRET));
    }

    #[track_caller]
    fn fails(&self, status: u16, error: &str) {
        self.says(status, &[error]);
        assert!(self.html.contains(&format!("data-error=\"{error}\"")), "{}", self.text());
        assert!(!self.html.contains("data-testid=\"user-op-status\""));
    }
}

async fn bundler_saying(answer: Value) -> Upstream {
    Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "pimlico_getUserOperationStatus" => Reply::Result(answer.clone()),
        "eth_getUserOperationReceipt" | "eth_getUserOperationByHash" => Reply::Result(json!(null)),
        _ => unknown_method(),
    })
    .await
}

fn not_found() -> Value {
    json!({"status": "not_found", "transactionHash": null})
}

#[tokio::test]
async fn a_page_says_what_became_of_an_operation_to_whoever_runs_no_code() {
    let story = Story(Instant::now() - Duration::from_secs(60));
    let path = format!("/operations/{}", op_hash());
    let submitted = json!({"status": "submitted", "transactionHash": hash(0x55)});
    let dropped = json!({"state": "DROPPED_FROM_BUNDLER_MEMPOOL", "message": "AA25 \u{202e}<i>evil</i> \u{5e9}"});
    let waits = json!({"status": "not_submitted", "transactionHash": null});
    for (logs, told, state, words) in [
        (vec![event(true)], not_found(), "confirmed", vec!["Confirmed", "its call succeeded", &hash(0x77), "Block100"]),
        (vec![event(false), revert_reason()], not_found(), "reverted", vec!["Reverted", "Nope", "undid its call"]),
        (vec![], submitted, "bundled", vec!["In a transaction", &hash(0x55)]),
        (vec![], waits, "submitted", vec!["Waiting", "in no transaction yet"]),
        (vec![], dropped, "dropped", vec!["Dropped", "AA25 &lt;i>evil&lt;/i> \u{5e9}"]),
    ] {
        let (node, bundler) = (node(story.clone(), 0, logs).await, bundler_saying(told).await);
        let server = Server::start(lab(&node, &bundler)).await;
        let page = Page::at(&server, &path).await;
        page.says(200, &words);
        // The hash is whole, for eyes and for machines.
        page.says(200, &[&op_hash()]);
        assert!(page.html.contains(&format!("data-value=\"{}\"", op_hash())));
        assert!(page.html.contains(&format!("data-testid=\"user-op-status\" data-status=\"{state}\"")), "{state}");
        let title = page.html.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
        assert!(title.starts_with("Operation 0x") && title.ends_with(" · use-aa"), "{title}");
        // Who is final is not followed, in the browser neither.
        let follows = page.html.contains("FollowedOperation");
        assert_eq!(follows, matches!(state, "bundled" | "submitted"), "{state}");
    }
    // With more confirmations the same block is not the end yet.
    let (node, bundler) = (node(story, 0, vec![event(true)]).await, bundler_saying(not_found()).await);
    let mut deeper = lab(&node, &bundler);
    deeper.confirmations = 5;
    Page::at(&Server::start(deeper).await, &path).await.says(200, &["In a block", "Block100"]);
}

#[tokio::test]
async fn unknown_malformed_and_unanswered_are_three_things() {
    let story = Story(Instant::now() - Duration::from_secs(60));
    let (chain, bundler) = (node(story, 0, vec![]).await, bundler_saying(not_found()).await);
    let server = Server::start(lab(&chain, &bundler)).await;
    let path = format!("/operations/{}", hash(0x99));

    let page = Page::at(&server, &path).await;
    page.fails(404, "UserOpNotFound");
    assert!(page.text().contains(&hash(0x99)), "{}", page.text());
    let (status, answer) = server.call("operation", &json!({"user_op_hash": hash(0x99)})).await;
    assert_eq!((status, answer), (404, json!({"error": "UserOpNotFound", "userOpHash": hash(0x99)})));

    for wrong in ["0x12", "nonsense", &hash(0)[2..], "%3Cscript%3Ealert(1)%3C%2Fscript%3E", &hash(0)] {
        let page = Page::at(&server, &format!("/operations/{wrong}")).await;
        page.fails(400, "InvalidInput");
        assert!(!page.html.contains("<script>alert"), "what was typed is text");
    }
    // The form needs no code either.
    let asked = server.client.get(format!("{}/operations?hash=+{}", server.url, hash(0x99))).send().await.unwrap();
    assert_eq!((asked.url().path(), asked.status().as_u16()), (path.as_str(), 404));
    Page::at(&server, "/operations?hash=0x12").await.fails(400, "InvalidInput");
    Page::at(&server, "/operations").await.says(200, &["Hash of a user operation"]);

    // Silence is not "unknown".
    let no_node = Server::start(config(&nobody().await, &bundler.url())).await;
    Page::at(&no_node, &path).await.fails(503, "UpstreamUnavailable");
    let no_bundler = Server::start(config(&chain.url(), &nobody().await)).await;
    Page::at(&no_bundler, &path).await.fails(503, "UpstreamUnavailable");
    let odd = Upstream::always(Reply::Result(json!({"status": "melted"}))).await;
    let odd_bundler = Server::start(config(&chain.url(), &odd.url())).await;
    Page::at(&odd_bundler, &path).await.fails(502, "UpstreamMalformed");
}

#[tokio::test]
async fn however_many_ask_for_an_operation_the_upstreams_are_asked_once() {
    let story = Story(Instant::now() - Duration::from_secs(60));
    let (chain, bundler) = (node(story, 0, vec![]).await, bundler_saying(not_found()).await);
    let server = Server::start(lab(&chain, &bundler)).await;
    let path = format!("/operations/{}", hash(0x98));
    let pages = futures::future::join_all((0..30).map(|_| Page::at(&server, &path))).await;
    assert!(pages.iter().all(|page| page.status == 404));
    let asked = (chain.count("eth_getLogs"), bundler.count("pimlico_getUserOperationStatus"));
    assert_eq!(asked, (1, 1), "one look-up for all of them");
    // And with many hashes only so many at the same time.
    let others = (1..=40).map(|byte| format!("/operations/{}", hash(byte)));
    let others = others.collect::<Vec<_>>();
    futures::future::join_all(others.iter().map(|path| Page::at(&server, path))).await;
    assert!(bundler.most_at_once() <= 8, "{}", bundler.most_at_once());
}

/// Only where both answered an operation is unknown.
#[tokio::test]
async fn what_nobody_can_know_is_not_called_unknown() {
    let story = Story(Instant::now() - Duration::from_secs(60));
    let held = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_sendUserOperation" => Reply::Result(json!(op_hash())),
        _ => unknown_method(),
    })
    .await;
    let chain = node(story.clone(), 0, vec![]).await;
    let server = Server::start(lab(&chain, &held)).await;
    let path = format!("/operations/{}", op_hash());
    let page = Page::at(&server, &path).await;
    page.fails(502, "UserOpUntold");
    // The head is block 102.
    page.says(502, &["cannot say", "103 blocks", &op_hash()]);
    let (status, answer) = server.call("operation", &json!({"user_op_hash": op_hash()})).await;
    assert_eq!((status, answer), (502, json!({"error": "UserOpUntold", "userOpHash": op_hash(), "blocks": 103})));
    // What is in a block is known without the bundler.
    let chain = node(story, 0, vec![event(true)]).await;
    Page::at(&Server::start(lab(&chain, &held)).await, &path).await.says(200, &["Confirmed"]);
}

/// Look-ups that hang at the node leave the page for others: told in time, or served.
#[tokio::test]
async fn no_address_closes_the_page_for_the_others() {
    let chain = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        _ => Reply::Hang,
    })
    .await;
    let bundler = bundler_saying(json!({"status": "not_found", "transactionHash": null})).await;
    let mut config = lab(&chain, &bundler);
    config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let state = ServerState::with_upstream_timeout(config, Duration::from_secs(8)).unwrap();
    let server = Server::start_with(state).await;
    let path = |byte: u8| format!("/operations/{}", hash(byte));
    let ask = async |byte: u8, address: &str| {
        let begun = Instant::now();
        let page = Page::for_address(&server, &path(byte), address).await;
        (page, begun.elapsed())
    };
    let test = async {
        let all_asked = Instant::now() + PATIENCE;
        let until = async |asked: usize| {
            while bundler.count("pimlico_getUserOperationStatus") < asked {
                assert!(Instant::now() < all_asked, "{}", bundler.count("pimlico_getUserOperationStatus"));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        until(2).await;
        // One address has two turns, however many it asks for; then there is one for another.
        let (page, waited) = ask(0x13, "10.0.0.1").await;
        page.fails(429, "RateLimited");
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(bundler.count("pimlico_getUserOperationStatus"), 2);
        let others = ["10.0.0.2", "10.0.0.3", "10.0.0.4"].into_iter().enumerate();
        let others = others.flat_map(|(place, address)| {
            let first = 0x21 + 2 * u8::try_from(place).unwrap();
            [ask(first, address), ask(first + 1, address)]
        });
        let ninth = async {
            until(8).await;
            let (page, waited) = ask(0x31, "10.0.0.5").await;
            page.fails(503, "Busy");
            page.says(503, &["Ask again"]);
            assert!(waited < Duration::from_secs(3), "{waited:?}");
        };
        tokio::select! {
            () = ninth => {}
            _ = futures::future::join_all(others) => panic!("they hang"),
        }
    };
    tokio::select! {
        () = test => {}
        _ = futures::future::join(ask(0x11, "10.0.0.1"), ask(0x12, "10.0.0.1")) => panic!("they hang"),
    }
}

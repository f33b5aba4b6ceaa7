//! `/sessions?account=0x…`: what chain and ledger know of an account, to whoever has neither a wallet nor code.

use use_aa::{
    actions::adapters::http_relay::HttpRelay,
    protocol::{addresses::DEMO_NFT, session::ListedStatus},
};

use super::*;
use actions_support::{common, server_url, server_with};

async fn get(base: &str, path: &str) -> (u16, String, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(format!("{base}{path}")).send().await.unwrap();
    let robots = response.headers().get("x-robots-tag").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), robots.unwrap_or_default(), response.text().await.unwrap())
}

/// What a person reads.
fn text(html: &str) -> String {
    let pieces = html.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text);
    pieces.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of the list: status and what a person reads.
fn rows(html: &str) -> Vec<(String, String)> {
    let rows = html.split("<li ").filter(|row| row.contains("data-testid=\"session-row\""));
    let status = |row: &str| row.split_once("data-status=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    rows.map(|row| (status(row), text(&["<li ", row.split("</li>").next().unwrap()].concat()))).collect()
}

#[tokio::test]
async fn an_accounts_sessions_can_be_read_without_a_wallet_and_without_code() {
    let base = server_url().await;
    let person = Person::at(std::rc::Rc::new(HttpRelay::new(&base).unwrap()));
    let path = format!("/sessions?account={}", person.account());

    let (status, robots, html) = get(&base, &path).await;
    assert_eq!((status, robots.as_str()), (200, "noindex, nofollow"));
    assert!(text(&html).contains("not on the chain yet") && rows(&html).is_empty(), "{}", text(&html));

    let end = now() + 3_600;
    let window = |valid_after, valid_until| SessionEpoch { valid_until, valid_after };
    let mut request = person.grant_request();
    request.label = Some("<i>Our secret</i> name".into());
    request.policy[0].interval = window(0, end);
    request.policy.push(Policy { interval: window(end, 0), ..Policy::new(DEMO_NFT, "nobodyKnowsMe(bytes7)") });
    person.grant(request).await.unwrap();

    // Nobody has published it yet: the chain's root is all that is known, and that is said.
    let (status, _, html) = get(&base, &path).await;
    let root = person.roots().await.1.to_string();
    assert_eq!((status, rows(&html).len()), (200, 0));
    assert!(text(&html).contains("sessions that are unknown here") && text(&html).contains(&root), "{}", text(&html));

    let published = person.store.load(person.account()).await.unwrap().published().unwrap();
    person.relay.publish_sessions(person.account(), &published).await.unwrap();
    let (status, _, html) = get(&base, &path).await;
    let all = text(&html);
    assert_eq!(status, 200);
    assert!(
        html.contains(&format!("data-value=\"{}\"", person.account())) && all.contains(&person.account().to_string())
    );
    let listed = rows(&html);
    assert_eq!(listed.len(), 2, "{all}");
    let (status, mint) = &listed[0];
    assert_eq!(status, ListedStatus::Active.wire_name());
    for words in ["safeMint", "Active", "only for this account", &DEMO_NFT.to_string(), "Ends 20"] {
        assert!(mint.contains(words), "{words}: {mint}");
    }
    let (status, unknown) = &listed[1];
    assert_eq!(status, ListedStatus::Pending.wire_name());
    for words in ["unknown here", "Not begun", "No end", "Starts 20"] {
        assert!(unknown.contains(words), "{words}: {unknown}");
    }
    // What lives in the owner's browser is not here, and that is said.
    assert!(!html.contains("Our secret") && all.contains("What cannot be known here"), "{all}");
    let keys = person.leaves().await.iter().map(|leaf| leaf.session_key_address.to_string()).collect::<Vec<_>>();
    assert!(keys.iter().all(|key| mint.contains(key) || unknown.contains(key)));

    // Taken back: nothing is left.
    let none = [set_merkle_root(B256::ZERO)];
    let response = send_sponsored_transaction(&person.client, &none, &BuildUserOpOptions::default()).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    let (status, _, html) = get(&base, &path).await;
    assert!(status == 200 && text(&html).contains("No session of this account is valid"), "{}", text(&html));
    // And the operation that did it has its page.
    let (status, _, html) = get(&base, &format!("/operations/{}", response.user_op_hash)).await;
    let all = text(&html);
    assert_eq!(status, 200, "{all}");
    assert!(all.contains("Confirmed") && all.contains(&person.account().to_string()), "{all}");
}

#[tokio::test]
async fn a_long_list_comes_in_parts_and_a_row_of_any_bytes_stays_a_row() {
    let base = server_url().await;
    let person = Person::at(std::rc::Rc::new(HttpRelay::new(&base).unwrap()));
    let set = large_set(1, 1_200_000);
    let options = BuildUserOpOptions::default();
    let response = send_sponsored_transaction(&person.client, &[set_merkle_root(set.root())], &options).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    person.relay.publish_sessions(person.account(), &set).await.unwrap();
    let mut seen = 0;
    for page in 1..=set.len().div_ceil(50) {
        let path = format!("/sessions?account={:#x}&page={page}", person.account());
        let (status, _, html) = get(&base, &path).await;
        assert_eq!(status, 200);
        assert!(html.len() < 300_000, "{} bytes", html.len());
        seen += rows(&html).len();
    }
    assert_eq!(seen, set.len());
}

#[tokio::test]
async fn what_is_no_account_and_what_does_not_answer_is_said() {
    let base = server_url().await;
    let zero = Address::ZERO.to_string();
    let account = Address::repeat_byte(0xab).to_string();
    for wrong in ["0x12", "vitalik.eth", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", &zero, &account.replacen('A', "a", 1)] {
        let (status, robots, html) = get(&base, &format!("/sessions?account={wrong}")).await;
        assert_eq!((status, robots.as_str()), (400, "noindex, nofollow"), "{wrong}");
        assert!(html.contains("data-error=\"InvalidInput\""), "{wrong}");
        assert!(html.contains("<form") && html.contains("name=\"account\""), "another one can be typed");
        assert!(!html.contains("<script>alert"), "what was typed is text");
    }
    let url = common::lab().await.info().rpc_url.expose().to_string();
    let nobody = server_with(|config| config.rpc_urls = vec!["http://127.0.0.1:1/SECRET".parse().unwrap()]).await;
    let (status, _, html) = get(&nobody, &format!("/sessions?account={account}")).await;
    assert_eq!(status, 503);
    assert!(html.contains("data-error=\"UpstreamUnavailable\"") && !html.contains("SECRET") && !html.contains(&url));
}

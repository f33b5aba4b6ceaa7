//! A session in words: what it may do, and where it stands.

use alloy::primitives::Address;

use super::grant_review::leaf_words;
pub use super::session_titles::{sessions_text, title_of, title_view};
use crate::protocol::{
    describe::{PolicyDescription, TokenFacts},
    session::{ListedStatus, SessionLeaf},
};

/// What a session with this status waits for: `PENDING` has three reasons.
pub fn badge_text(leaf: &SessionLeaf, status: ListedStatus) -> &'static str {
    match status {
        ListedStatus::Pending if leaf.state().is_returning() => "Coming back",
        ListedStatus::Pending if leaf.status.in_tree() => "Not begun",
        ListedStatus::Pending => "Waiting for confirmation",
        ListedStatus::Active if leaf.waits_for_first_use() => "Not enabled yet",
        status => status_text(status),
    }
}

/// The status for people.
pub fn status_text(status: ListedStatus) -> &'static str {
    match status {
        ListedStatus::Pending => "Waiting",
        ListedStatus::Active => "Active",
        ListedStatus::Expired => "Ended",
        ListedStatus::Revoked => "Revoked",
        ListedStatus::OtherDevice => "On another device",
    }
}

/// What the leaf allows, as far as its data can be read. `native` is the chain's currency.
pub fn permission_text(leaf: &SessionLeaf, account: Option<Address>, native: &TokenFacts) -> String {
    leaf_words(leaf, account, native, PolicyDescription::line)
}

/// As [`permission_text`], with nothing shortened or counted: for where somebody decides.
pub fn whole_permission_text(leaf: &SessionLeaf, account: Option<Address>, native: &TokenFacts) -> String {
    leaf_words(leaf, account, native, PolicyDescription::whole_line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::{Condition, Policy},
        session::SessionStatus,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const TRANSFER: &str = "transfer(address,uint256)";

    fn words(policy: &Policy) -> String {
        let leaf = SessionLeaf::from_policy(policy, Address::repeat_byte(1), "id").unwrap();
        permission_text(&leaf, Some(ACCOUNT), &xdai())
    }

    fn xdai() -> TokenFacts {
        TokenFacts { symbol: Some("XDAI".into()), decimals: Some(18) }
    }

    #[test]
    fn the_list_knows_the_own_account_and_the_names_of_contracts_and_units() {
        let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT);
        assert_eq!(words(&mint), "May call safeMint on Demo NFT (0x1758…665e) only for your own account");
        let pay = Policy { value_limit: U256::from(10).pow(U256::from(16)), ..Policy::new(DEMO_TOKEN, TRANSFER) }
            .with_rule(1, Condition::LessThanOrEqual, U256::from(2_500_000));
        let pay = words(&pay);
        let end = "only if: amount must be at most 2.5 DUSD; each call may send at most 0.01 XDAI";
        assert!(pay.starts_with("May call transfer on Demo token") && pay.ends_with(end), "{pay}");
        let unreadable = permission_text(&SessionLeaf::default(), None, &xdai());
        assert!(unreadable.starts_with("Checked by module 0x0000…0000"), "{unreadable}");
    }

    #[test]
    fn a_waiting_session_says_what_for() {
        let text = |status| badge_text(&SessionLeaf { status, ..SessionLeaf::default() }, ListedStatus::Pending);
        assert_eq!(text(SessionStatus::Pending), "Waiting for confirmation");
        assert_eq!(text(SessionStatus::Active), "Not begun");
        assert_eq!(badge_text(&SessionLeaf::default(), ListedStatus::Expired), "Ended");
        let mut signed = SessionLeaf { status: SessionStatus::Active, ..SessionLeaf::default() };
        assert_eq!(badge_text(&signed, ListedStatus::Active), "Active");
        signed.set_waits_for_first_use();
        assert_eq!(badge_text(&signed, ListedStatus::Active), "Not enabled yet");
    }

    #[test]
    fn counts_and_titles() {
        assert_eq!([sessions_text(1), sessions_text(12)], ["1 session", "12 sessions"]);
        assert_eq!(title_of(&SessionLeaf::default()), "Session without a name");
        let titled = |label: &str| title_of(&SessionLeaf { label: Some(label.into()), ..SessionLeaf::default() });
        assert_eq!(titled("Pay\u{202e}\u{200b} Bob"), "Pay Bob");
        assert_eq!(titled("\u{200b}\u{3164} "), "Session without a name", "a name that shows nothing is none");
        let mint =
            Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, Address::repeat_byte(0xbb));
        let leaf = SessionLeaf::from_policy(&mint, Address::repeat_byte(1), "id").unwrap();
        let whole = whole_permission_text(&leaf, Some(ACCOUNT), &xdai());
        assert!(
            whole.contains(&DEMO_NFT.to_string()) && whole.contains(&Address::repeat_byte(0xbb).to_string()),
            "{whole}"
        );
    }
}

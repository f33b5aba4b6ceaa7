//! Does a text say that the person refused? Wallets that give no code say it in these words.

/// Whom wallets name.
const PEOPLE: [&str; 3] = ["user", "you", "person"];
/// What they did.
const REFUSED: [&str; 18] = [
    "denied",
    "denies",
    "rejected",
    "rejects",
    "refused",
    "refuses",
    "cancelled",
    "canceled",
    "cancels",
    "declined",
    "declines",
    "disapproved",
    "aborted",
    "closed",
    "dismissed",
    "rejection",
    "denial",
    "cancellation",
];
/// What may stand between them.
const BETWEEN: [&str; 8] = ["has", "have", "had", "just", "explicitly", "actively", "been", "already"];
/// These turn it around.
const NOT: [&str; 8] = ["not", "no", "never", "hasnt", "havent", "didnt", "wasnt", "neither"];
/// Behind “user” these name something else: a user operation, a user agent.
const OTHERS: [&str; 5] = ["operation", "operations", "op", "agent", "id"];
/// Said as a code.
const NAMES: [[&str; 2]; 4] =
    [["action", "rejected"], ["action", "cancelled"], ["action", "canceled"], ["request", "cancelled"]];

/// Does it?
pub(super) fn says_refused(text: &str) -> bool {
    let words = words(text);
    let named = words.len() <= 3 && words.windows(2).any(|pair| NAMES.iter().any(|name| pair == name));
    named || (0..words.len()).any(|at| person_refused(&words, at) || refused_by_person(&words, at))
}

/// “User denied …”, “the user has just rejected …”.
fn person_refused(words: &[String], at: usize) -> bool {
    is_in(&PEOPLE, words.get(at)) && {
        let behind = words[at + 1..].iter().find(|word| !is_in(&BETWEEN, Some(word)));
        let before = &words[at.saturating_sub(3)..at];
        is_in(&REFUSED, behind) && !before.iter().any(|word| is_in(&NOT, Some(word)))
    }
}

/// “Rejected by the user”, “cancelled in the wallet by user”.
fn refused_by_person(words: &[String], at: usize) -> bool {
    if !is_in(&REFUSED, words.get(at)) {
        return false;
    }
    let before = words[..at].iter().rev().find(|word| !is_in(&BETWEEN, Some(word)));
    let behind = &words[at + 1..words.len().min(at + 6)];
    let Some(by) = behind.iter().position(|word| word == "by") else { return false };
    let mut named = behind[by + 1..].iter().filter(|word| !matches!(word.as_str(), "the" | "a" | "your"));
    is_in(&PEOPLE, named.next()) && !is_in(&OTHERS, named.next()) && !is_in(&NOT, before)
}

fn is_in(list: &[&str], word: Option<&String>) -> bool {
    word.is_some_and(|word| list.contains(&word.as_str()))
}

/// Its words in small letters; `UserRejectedRequest` and `USER_REJECTED` are several.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    // Longer texts are no refusals.
    for letter in text.chars().take(1_000) {
        let is_hump = before.is_ascii_lowercase() && letter.is_ascii_uppercase();
        if is_hump || !(letter.is_alphanumeric() || matches!(letter, '\'' | '’')) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            // Ours are English.
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::says_refused;

    #[test]
    fn what_public_wallets_say_of_a_refusal() {
        for text in [
            "MetaMask Tx Signature: User denied transaction signature.",
            "MetaMask Message Signature: User denied message signature.",
            "User rejected the request.",
            "user rejected transaction",
            "The user has rejected the request",
            "Rejected by user",
            "Request was rejected by the user.",
            "Transaction declined by the user",
            "User canceled",
            "User cancelled the request",
            "User closed modal",
            "User closed the window before signing",
            "You declined the action in your wallet.",
            "UserRejectedRequestError",
            "USER_REJECTED",
            "ACTION_REJECTED",
            "Failure_ActionCancelled",
            "Ledger device: Condition of use not satisfied (denied by the user?) (0x6985)",
        ] {
            assert!(says_refused(text), "{text}");
        }
    }

    #[test]
    fn what_somebody_else_refused_is_no_refusal_of_the_person() {
        for text in [
            "",
            "Internal JSON-RPC error.",
            "execution reverted: UserOperation rejected",
            "User operation rejected by the bundler",
            "Rejected by user operation pool",
            "Transaction rejected by the network",
            "Request rejected: rate limit",
            "Permission denied",
            "The requested account and/or method has not been authorized by the user.",
            "You are denied access to this chain",
            "The user has not rejected anything",
            "It was not rejected by the user, the connection was lost",
            "Request blocked by user agent",
            "Connection request reset. Please try again.",
            "the user is offline",
        ] {
            assert!(!says_refused(text), "{text}");
        }
    }
}

//! Who asks over HTTP: the app server, the operator, or a stranger.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use use_aa_dan::caller_key::CallerKey;

/// Somebody whose key is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// It carries what owners and pages signed.
    Server,
    /// He looks after the nodes.
    Operator,
}

impl Caller {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "the app server",
            Self::Operator => "the operator",
        }
    }

    /// The variable that holds the key, there and here.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Server => "USE_AA_DAN_SERVER_KEY",
            Self::Operator => "USE_AA_DAN_OPERATOR_KEY",
        }
    }
}

/// The keys of both.
#[derive(Clone, Debug)]
pub struct Callers {
    /// The app server's.
    pub server: CallerKey,
    /// The operator's.
    pub operator: CallerKey,
}

impl Callers {
    /// Whose key the request carries as bearer token. Both are compared, whatever the first one says.
    pub fn who(&self, headers: &HeaderMap) -> Option<Caller> {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let (server, operator) = (self.server.matches(token.trim()), self.operator.matches(token.trim()));
        match (scheme.eq_ignore_ascii_case("bearer"), server, operator) {
            (true, true, _) => Some(Caller::Server),
            (true, _, true) => Some(Caller::Operator),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_caller_is_known_by_the_key_alone() {
        let key = |text: &str| CallerKey::parse(&text.repeat(4)).unwrap();
        let callers = Callers { server: key("0123456789"), operator: key("abcdefghij") };
        let who = |value: &str| callers.who(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]));
        let (server, operator) = ("0123456789".repeat(4), "abcdefghij".repeat(4));
        assert_eq!(who(&format!("Bearer {server}")), Some(Caller::Server));
        assert_eq!(who(&format!("bearer  {operator}")), Some(Caller::Operator));
        for other in ["Bearer", "Bearer ", &server, &format!("Basic {server}"), &format!("Bearer {server}0")] {
            assert_eq!(who(other), None, "{other}");
        }
        assert_eq!(callers.who(&HeaderMap::new()), None);
    }
}

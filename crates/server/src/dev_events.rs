//! `USE_AA_DEV_EVENTS`: where `make dev` tells pages that something was built anew. Only programs that are built for
//! development (with debug assertions) know it; in all others no page listens to anybody but its server.

use crate::config::ConfigError;

/// Its name. No option: it is between `make dev` and the server that it starts.
const VARIABLE: &str = "USE_AA_DEV_EVENTS";

/// The origin of the events, as a content policy names it; `None` outside of `make dev`.
pub fn origin() -> Result<Option<String>, ConfigError> {
    if !cfg!(debug_assertions) {
        return Ok(None);
    }
    let text = std::env::var(VARIABLE).unwrap_or_default();
    Some(text.trim()).filter(|text| !text.is_empty()).map(parse).transpose()
}

/// A port of this machine: the text gets into a header and into a script.
fn parse(text: &str) -> Result<String, ConfigError> {
    let port =
        text.strip_prefix("http://127.0.0.1:").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
    match port {
        Some(port) => Ok(format!("http://127.0.0.1:{port}")),
        None => Err(ConfigError::new(VARIABLE, "http://127.0.0.1 with a port", text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_port_of_this_machine_may_speak_to_pages() {
        assert_eq!(parse("http://127.0.0.1:4567").unwrap(), "http://127.0.0.1:4567");
        for wrong in [
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://127.0.0.1:4567; script-src *",
            "http://127.0.0.1:4567/</script>",
            "http://evil.example:80",
            "https://127.0.0.1:1",
            "*",
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.starts_with("USE_AA_DEV_EVENTS: expected http://127.0.0.1 with a port"), "{error}");
        }
    }
}

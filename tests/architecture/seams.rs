//! Where a version of the entry point, a kind of account or a scheme of sessions may be named: in its own folder. All else
//! asks the operation, the account or the scheme that it is given, so that a third of each is one folder more.

use std::{fs, path::Path};

/// One side of a seam.
struct Seam {
    what: &'static str,
    /// Words that name it.
    words: &'static [&'static str],
    /// Its folder, and who else may name it: paths or beginnings of paths.
    rooms: &'static [&'static str],
}

const SEAMS: [Seam; 3] = [
    Seam {
        what: "a version of the entry point",
        words: &["EntryPoint::V0", "entry_point::v0", "v06::", "v07::", "addresses::ENTRY_POINT", "ENTRY_POINT_V07"],
        rooms: &[
            "crates/protocol/src/entry_point",
            // An account is of one version: its kind says which, and its schemes read what that one reverts with.
            "crates/protocol/src/accounts/",
            "crates/protocol/src/smart_sessions",
            // As they were always named.
            "crates/protocol/src/addresses.rs",
            "crates/protocol/src/abi.rs",
            "crates/lab/src/",
            // JSON-RPC names versions to callers, dialects of services know one.
            "crates/server/src/",
        ],
    },
    Seam {
        what: "a contract of Smart Account V2 or its session key manager",
        words: &[
            "ACCOUNT_FACTORY",
            "FALLBACK_HANDLER",
            "ECDSA_MODULE",
            "MULTICHAIN_MODULE",
            "PASSKEY_MODULE",
            "SESSION_KEY_MANAGER",
            "BATCHED_SESSION_ROUTER",
            "ABI_SESSION_VALIDATION_MODULE",
            "ERC20_SESSION_VALIDATION_MODULE",
            "accounts::biconomy_v2",
        ],
        rooms: &[
            "crates/protocol/src/accounts/biconomy_v2",
            "crates/protocol/src/addresses.rs",
            "crates/protocol/src/smart_account.rs",
            // The session key manager's scheme, which is older than the seam: what a leaf is, says, allows and signs.
            "crates/protocol/src/describe",
            "crates/protocol/src/distributed_key/",
            "crates/protocol/src/lint",
            "crates/protocol/src/multichain.rs",
            "crates/protocol/src/policy",
            "crates/protocol/src/session/",
            "crates/protocol/src/session.rs",
            "crates/protocol/src/signature.rs",
            "crates/protocol/src/simulate",
            // Words and linter know V2's leaves: an action is shown to them as one.
            "crates/protocol/src/smart_sessions/leaf.rs",
            "crates/actions/src/account_kind/biconomy_v2.rs",
            "crates/actions/src/create_session.rs",
            "crates/actions/src/grant.rs",
            "crates/actions/src/prove_revocation.rs",
            "crates/actions/src/revoke_sessions.rs",
            "crates/actions/src/send_with_batch_session.rs",
            "crates/actions/src/send_with_session.rs",
            // Checks signatures that tell their account's factory.
            "crates/actions/src/sign_message.rs",
            "crates/lab/src/",
            // Reads accounts' state, and judges set-ups, before it pays.
            "crates/server/src/",
            "src/demos/",
        ],
    },
    Seam {
        what: "Nexus or Smart Sessions",
        words: &["nexus::", "NexusRelease", "NexusAccount", "smart_sessions::", "SMART_SESSION", "SmartSessions"],
        rooms: &[
            "crates/protocol/src/accounts/nexus",
            "crates/protocol/src/smart_sessions",
            "crates/protocol/src/abi/",
            "crates/protocol/src/lib.rs",
            // What nodes sign for such an account.
            "crates/protocol/src/distributed_key/",
            "crates/actions/src/account_kind/nexus",
            // A page's verbs over it, its store, and the way to them.
            "src/hooks/chunk/nexus",
            "src/hooks/nexus_distributed.rs",
            "src/hooks/nexus_gateway.rs",
            "src/client/session_store/nexus.rs",
            // Takes its sessions along.
            "src/client/session_store/transfer",
            // Renders what the module says of an account.
            "src/pages/sessions/each_for_itself.rs",
            "crates/lab/src/",
            "crates/server/src/",
        ],
    },
];

/// The code of a file without comments and tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Does the word stand there, and not as the end of a longer one?
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = !code[..at].ends_with(is_part);
        let after = word.ends_with(|c: char| !is_part(c) || c == '0') || !code[at + word.len()..].starts_with(is_part);
        before && after
    })
}

/// Files that name what they must not.
fn breaches(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    super::rust_files(&root.join("src"), &mut files);
    for folder in fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        super::rust_files(&folder.join("src"), &mut files);
    }
    assert!(files.len() > 300, "the sources are found");
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.ends_with("/tests.rs")
            || path.contains("/tests/")
            || path.ends_with("fake.rs")
            || path.ends_with("faults.rs")
        {
            continue;
        }
        let code = code(&fs::read_to_string(&file).unwrap());
        for seam in SEAMS.iter().filter(|seam| !seam.rooms.iter().any(|room| path.starts_with(room))) {
            let named = seam.words.iter().filter(|word| names(&code, word));
            found.extend(named.map(|word| format!("{path}: {word} names {}", seam.what)));
        }
    }
    found
}

#[test]
fn versions_kinds_and_schemes_are_named_in_their_folders_only() {
    let found = breaches(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn names_are_found() {
    assert!(names("use crate::entry_point::v07::pack;", "entry_point::v0"));
    assert!(names("to: ECDSA_MODULE,", "ECDSA_MODULE") && !names("MY_ECDSA_MODULE ECDSA_MODULE_2", "ECDSA_MODULE"));
    assert!(names("EntryPoint::V06", "EntryPoint::V0") && !names("EntryPoint::VERSION", "EntryPoint::V0"));
    assert_eq!(code("a // ECDSA_MODULE\n#[cfg(test)]\nECDSA_MODULE"), "a ");
}

//! The program alone in an empty folder, far from any checkout: no lab can be started there, which is one line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// It fails at once; a loaded machine may take a while to load it.
const LIMIT: Duration = Duration::from_secs(20);

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Linked where that is possible: nothing holds it open for writing then, which would keep it from being started.
fn place(program: &Path) {
    let built = env!("CARGO_BIN_EXE_use-aa");
    if fs::hard_link(built, program).is_err() {
        fs::copy(built, program).unwrap();
    }
}

#[test]
fn without_a_checkout_it_says_what_the_lab_needs_and_where_it_looked() {
    let base = tempfile::tempdir().unwrap();
    let base = base.path().canonicalize().unwrap();
    let [home, here, temporary] = ["home", "here", "temporary"].map(|name| base.join(name));
    for folder in [&home, &here, &temporary] {
        fs::create_dir(folder).unwrap();
    }
    let program = home.join("use-aa");
    place(&program);
    for words in [&["serve"][..], &[], &["lab"], &["lab", "--json"]] {
        let mut child = Command::new(&program)
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &here)
            .env("TMPDIR", &temporary)
            .env("USE_AA_ADDR", "127.0.0.1:0")
            .current_dir(&here)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > LIMIT {
                child.kill().unwrap();
                panic!("use-aa {words:?} goes on");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(output.stdout.is_empty(), "{words:?}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        let looked = format!("{}, {}", here.display(), home.display());
        for part in ["use-aa: the lab needs", "anvil", "alto", "EntryPoint", "compiled contracts", &looked] {
            assert!(said.contains(part), "{words:?}: {part} is not in: {said}");
        }
        assert!(said.contains("USE_AA_RPC_URL and USE_AA_BUNDLER_URL"), "{words:?}: {said}");
        assert_eq!(names(&home), ["use-aa"], "nothing is written");
        assert!(names(&here).is_empty() && names(&temporary).is_empty(), "nothing is written");
    }
}

/// Outside of tests and the build tool nothing asks the compiler for the folder that it works in. (Messages of panics
/// name files, which decides nothing.)
#[test]
fn the_sources_do_not_ask_where_they_are_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !matches!(name, "tests" | "xtask" | "target") {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                if program.contains("CARGO_MANIFEST_DIR") {
                    found.push(path);
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

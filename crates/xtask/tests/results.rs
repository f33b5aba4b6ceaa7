//! `tools/results.sh`: the end of `make test` counts and names what the runners say that failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// As cargo says it: a unit test, a test whose message looks like a list, a binary that died, one that was ended because
/// it did not end, a doc test.
const CARGO: &str = "
running 2 tests
test tests::good ... ok
test tests::bad ... FAILED

failures:

---- tests::bad stdout ----
    indented words

failures:
    tests::bad

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.23s

error: test failed, to rerun pass `--lib`
     Running tests/files.rs (target/debug/deps/files-2ede9ac992df8d33)

failures:

---- in_a_file stdout ----
assertion `left == right` failed: why
failures:
    not_a_name
  left: 1

failures:
    in_a_file

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.22s

error: test failed, to rerun pass `-p sample --test files`
     Running tests/dies.rs (target/debug/deps/dies-ec6cd2b4f0f5236b)

running 1 test
error: test failed, to rerun pass `--test dies`

Caused by:
  process didn't exit successfully: `target/debug/deps/dies-ec6cd2b4f0f5236b` (signal: 6, SIGABRT: process abort signal)
     Running tests/waits.rs (target/debug/deps/waits-0b0b2a7e5a0a1c37)

running 2 tests
test slow has been running for over 60 seconds
test waits::for_ever has been running for over 60 seconds
test slow ... ok
error: test failed, to rerun pass `--test waits`

Caused by:
  process didn't exit successfully: `timeout 600 target/debug/deps/waits-0b0b2a7e5a0a1c37` (exit status: 124)
   Doc-tests sample

failures:
    src/lib.rs - (line 1)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.72s

error: doctest failed, to rerun pass `--doc`
error: 4 targets failed:
    `--lib`
    `--doc`
";

/// As Playwright's list says it.
const PLAYWRIGHT: &str = "
  ✘  2 tests/a.spec.ts:5:1 › Group › bad › one (24ms)

  1) tests/a.spec.ts:5:1 › Group › bad › one ─────────────────────

    Error: expect(received).toBe(expected) // Object.is equality

  2 failed
    tests/a.spec.ts:5:1 › Group › bad › one ─────────────────────
    tests/a.spec.ts:7:1 › bad two ───────────────────────────────
  1 skipped
  3 did not run
  4 passed (8.5s)
";

const FINE: &str = "
NOTE: not run in Firefox: firefox-esr is missing
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.23s
  4 passed (8.5s)
";

fn lines(function: &str, output: &str) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/results.sh");
    let mut bash = Command::new("bash")
        .args(["-euc", &format!(". {script}; {function}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(output.as_bytes()).unwrap();
    let done = bash.wait_with_output().unwrap();
    assert!(done.status.success(), "{function}");
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn what_failed_is_named() {
    let cargo = [
        "tests::bad (--lib)",
        "in_a_file (-p sample --test files)",
        "a test binary that died (--test dies)",
        "waits::for_ever, which did not end (--test waits)",
        "src/lib.rs - (line 1) (--doc)",
    ];
    assert_eq!(lines("tests_failed /dev/stdin", CARGO), cargo);
    let playwright = ["tests/a.spec.ts:5:1 › Group › bad › one", "tests/a.spec.ts:7:1 › bad two"];
    assert_eq!(lines("tests_failed /dev/stdin", PLAYWRIGHT), playwright);
    assert_eq!(lines("tests_failed /dev/stdin", FINE), [""; 0]);
}

#[test]
fn what_ran_is_counted_and_what_was_not_tried_is_noted() {
    for (output, passed, failed) in [(CARGO, "3", "3"), (PLAYWRIGHT, "4", "2"), (FINE, "7", "0")] {
        assert_eq!(lines("tests_counted /dev/stdin passed", output), [passed]);
        assert_eq!(lines("tests_counted /dev/stdin failed", output), [failed]);
    }
    assert_eq!(lines("tests_notes /dev/stdin", FINE), ["NOTE: not run in Firefox: firefox-esr is missing"]);
    assert_eq!(lines("tests_notes /dev/stdin", CARGO), [""; 0]);
}

#[test]
fn why_is_told_in_the_first_lines() {
    let cargo = [
        "---- tests::bad stdout ----",
        "    indented words",
        "---- in_a_file stdout ----",
        "assertion `left == right` failed: why",
    ];
    assert_eq!(lines("tests_why /dev/stdin", CARGO), cargo);
    let playwright = [
        "  1) tests/a.spec.ts:5:1 › Group › bad › one",
        "    Error: expect(received).toBe(expected) // Object.is equality",
    ];
    assert_eq!(lines("tests_why /dev/stdin", PLAYWRIGHT), playwright);
    let long = format!("  1) a\n{}", "    word\n\n".repeat(30));
    assert_eq!(lines("tests_why /dev/stdin", &long).len(), 15);
    assert_eq!(lines("tests_why /dev/stdin", FINE), [""; 0]);
}

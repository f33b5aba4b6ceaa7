#!/usr/bin/env bash
# test.sh: every check and test. Goes on after a failure so that one run shows all of them.
# Last line: "N passed, N failed"; exit code 0 only when nothing failed.
#
# Most of its time is compiling, so each flavour of a build has a reason:
#   checked, protocol and actions alone  who takes them alone gets neither Leptos nor a server; the protocol for wasm, too
#   checked, server and browser          lints; the documentation reads the same metadata
#   dev, server                          unit, integration and doc tests, and the server that the browser flows start
#   dev, server, as a dependency         an app on the crate has fewer features, so that one that is missing shows
#   dev, browser                         wasm tests; the app's browser side differs in nine crates
#   dev, build tool                      makes the page and runs the wasm tests, built once for both
#   wasm-release                         the page as it is served: what the browser flows are about
set -uo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
. tools/steps.sh

log=$steps_folder
passed=0 failed=0

check() { # check NAME COMMAND...: one pass or one failure
  if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); printf 'FAILED: %s\n' "$1"; fi
}

suite() { # suite NAME COMMAND...: counts the tests that the runner reports
  local name=$1 out="$log/suite" code=0 p f
  step "$name" shown "${@:2}" || code=$?
  p=$(sum "$out" passed); f=$(sum "$out" failed)
  passed=$((passed + p)); failed=$((failed + f))
  if [ "$((p + f))" = 0 ]; then failed=$((failed + 1)); printf 'FAILED: %s ran no test\n' "$name"
  elif [ "$code" != 0 ] && [ "$f" = 0 ]; then failed=$((failed + 1)); printf 'FAILED: %s (exit %s)\n' "$name" "$code"; fi
}

shown() { "$@" 2>&1 | tee "$log/suite"; return "${PIPESTATUS[0]}"; }

sum() { # "test result: ok. 3 passed; 1 failed" (cargo, wasm-bindgen) and "  3 passed (4s)" (Playwright)
  grep -E '^(test result:|  [0-9]+ (passed|failed|flaky))' "$1" | grep -oE "[0-9]+ $2" | awk '{n += $1} END {print n + 0}'
}

results() {
  summary
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

needed() { # needed NAME: without it nothing after it can run
  wait_for "$1" || { failed=$((failed + 1)); results; exit 1; }
}

{ tools/install.sh check tests && tools/install.sh rust; } || { echo "0 passed, 1 failed"; exit 1; }
beside "npm packages" tools/install.sh npm
beside "Chromium and PostgreSQL" tools/install.sh system
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never

# cargo compiles a crate again for other features, and those are of all crates that a command names: name the same each time
crates="--workspace --exclude consumer --exclude use-aa-xtask"
xtask="--package use-aa-xtask --features wasm-tests"

check "formatted" cargo fmt --all --check
check "protocol and actions compile alone" cargo check --quiet --package use-aa-protocol --package use-aa-actions
check "protocol compiles alone for wasm" cargo check --quiet --package use-aa-protocol --target wasm32-unknown-unknown
# shellcheck disable=SC2086
check "lints, server" cargo clippy --quiet $crates --features ssr --all-targets -- -D warnings
check "lints, page" cargo clippy --quiet --target wasm32-unknown-unknown --lib --features hydrate,lazy -- -D warnings
# With the examples, whose dependencies the lints have checked; without them, fifty crates are checked once more.
# shellcheck disable=SC2086
check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps $crates --lib --examples --features ssr
check "the crates package" cargo package --quiet --workspace --no-verify --allow-dirty
# shellcheck disable=SC2086
check "lints, build tool" cargo clippy --quiet $xtask --all-targets -- -D warnings
# shellcheck disable=SC2086
suite "build tool" cargo test --quiet $xtask
needed "npm packages"
needed "Chromium and PostgreSQL"
CHROMIUM_PATH=$(chromium_path); CHROMEDRIVER=$(chromedriver_path)
export CHROMIUM_PATH CHROMEDRIVER
# shellcheck disable=SC2086
check "known functions are those of the packages" cargo run --quiet $xtask -- functions --check
check "contracts compile" node contracts/build.mjs
# The page first: the server's tests read what is in it.
# shellcheck disable=SC2086
check "front end builds" cargo run --quiet $xtask -- page
# shellcheck disable=SC2086
suite "unit, integration and doc tests" cargo test $crates --features ssr --no-fail-fast
# An app that has use-aa as a dependency, without our pages; the browser's side is linked, so that names clash here and not there.
suite "an app on the crate: server" cargo test --quiet --package consumer --features ssr
check "an app on the crate: browser" \
  cargo build --quiet --package consumer --lib --target wasm32-unknown-unknown --features hydrate
suite "wasm tests in Chromium" tools/wasm-test.sh
# `cargo test` has built it for the integration tests; `cargo build` would compile fifty crates again without the
# features that only tests need.
check "server builds" test -x "$TARGET_DIR/debug/use-aa"
suite "browser flows" npm --prefix end2end test --silent

results

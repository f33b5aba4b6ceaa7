#!/usr/bin/env bash
# test.sh: every check and test. Goes on after a failure so that one run shows all of them.
# At the end: the seconds of each step, what was not tried here, what failed. Last line: "N passed, N failed"; exit code 0
# only when nothing failed.
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
. tools/results.sh

log=$steps_folder
passed=0 failed=0

check() { # check NAME COMMAND...: one pass or one failure
  if step "$@"; then passed=$((passed + 1)); else failure "$1"; fi
}

suite() { # suite NAME COMMAND...: counts the tests that the runner reports
  local name=$1 out="$log/suite" code=0 p f named
  step "$name" shown "${@:2}" || code=$?
  tests_notes "$out" >>"$log/notes"
  tests_failed "$out" | sed "s/^/$name: /" >"$log/named"
  [ ! -s "$log/named" ] || tests_why "$out" >>"$log/why"
  named=$(wc -l <"$log/named")
  p=$(tests_counted "$out" passed); f=$(tests_counted "$out" failed)
  [ "$named" -le "$f" ] || f=$named # a test binary that died is named, but counts nothing
  [ "$named" -ge "$f" ] || printf '%s: %s without a name\n' "$name" $((f - named)) >>"$log/named"
  cat "$log/named" >>"$log/failures"
  passed=$((passed + p)); failed=$((failed + f))
  if [ "$((p + f))" = 0 ]; then failure "$name: ran no test"
  elif [ "$code" != 0 ] && [ "$f" = 0 ]; then failure "$name: exit $code"; fi
}

failure() { failed=$((failed + 1)); printf 'FAILED: %s\n' "$1"; printf '%s\n' "$1" >>"$log/failures"; }

shown() { "$@" 2>&1 | tee "$log/suite"; return "${PIPESTATUS[0]}"; }

listed() { # listed TITLE FILE: what is in the file, if anything is
  [ ! -s "$2" ] || { printf '\n== %s\n' "$1"; sort -u "$2" | sed 's/^/  /'; }
}

results() {
  summary
  [ ! -s "$log/why" ] || { printf '\n== why, in the first lines\n'; head -n 120 "$log/why"; }
  listed "notes" "$log/notes"
  listed "failed" "$log/failures"
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

needed() { # needed NAME: without it nothing after it can run
  wait_for "$1" || { failure "$1"; results; exit 1; }
}

{ tools/install.sh check tests && tools/install.sh rust; } || { echo "0 passed, 1 failed"; exit 1; }
beside "npm packages" tools/install.sh npm
beside "browsers and PostgreSQL" tools/install.sh system
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never

# cargo compiles a crate again for other features, and those are of all crates that a command names: name the same each time
crates="--workspace --exclude starter --exclude shown-hooks --exclude use-aa-xtask"
xtask="--package use-aa-xtask --features wasm-tests,dev"

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
needed "browsers and PostgreSQL"
CHROMIUM_PATH=$(chromium_path); CHROMEDRIVER=$(chromedriver_path)
export CHROMIUM_PATH CHROMEDRIVER
# shellcheck disable=SC2086
check "known functions are those of the packages" cargo run --quiet $xtask -- functions --check
check "contracts compile" node contracts/build.mjs
# The page first: the server's tests read what is in it.
# shellcheck disable=SC2086
check "front end builds" cargo run --quiet $xtask -- page
# shellcheck disable=SC2086
# A binary that does not end is ended, by name, so that the others are run.
runner=CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_RUNNER
suite "unit, integration and doc tests" env "$runner=timeout --kill-after=10 600" cargo test $crates --features ssr --no-fail-fast
# An app that has use-aa as a dependency, without our pages; the browser's side is linked, so that names clash here and not there.
suite "an app on the crate: server" cargo test --quiet --package starter --package shown-hooks --features starter/ssr,shown-hooks/ssr
check "an app on the crate: browser" \
  cargo build --quiet --package starter --package shown-hooks --lib --target wasm32-unknown-unknown \
  --features starter/hydrate,shown-hooks/hydrate
suite "wasm tests in Chromium" tools/wasm-test.sh
# `cargo test` has built it for the integration tests; `cargo build` would compile fifty crates again without the
# features that only tests need.
check "server builds" test -x "$TARGET_DIR/debug/use-aa"
suite "browser flows" npm --prefix end2end test --silent

results

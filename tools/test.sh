#!/usr/bin/env bash
# test.sh: every check and test. Goes on after a failure so that one run shows all of them.
# Last line: "N passed, N failed"; exit code 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh

log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0 failed=0

say() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

check() { # check NAME COMMAND...: one pass or one failure
  local name=$1; shift
  say "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); printf 'FAILED: %s\n' "$name"; fi
}

suite() { # suite NAME COMMAND...: counts the tests that the runner reports
  local name=$1 out="$log/suite"; shift
  say "$name"
  "$@" 2>&1 | tee "$out"
  local code=${PIPESTATUS[0]} p f
  p=$(sum "$out" passed); f=$(sum "$out" failed)
  passed=$((passed + p)); failed=$((failed + f))
  if [ "$((p + f))" = 0 ]; then failed=$((failed + 1)); printf 'FAILED: %s ran no test\n' "$name"
  elif [ "$code" != 0 ] && [ "$f" = 0 ]; then failed=$((failed + 1)); printf 'FAILED: %s (exit %s)\n' "$name" "$code"; fi
}

sum() { # "test result: ok. 3 passed; 1 failed" (cargo, wasm-bindgen) and "  3 passed (4s)" (Playwright)
  grep -E '^(test result:|  [0-9]+ (passed|failed|flaky))' "$1" | grep -oE "[0-9]+ $2" | awk '{n += $1} END {print n + 0}'
}

say "tools"
tools/install.sh all || { echo "0 passed, 1 failed"; exit 1; }
CHROMIUM_PATH=$(chromium_path); CHROMEDRIVER=$(chromedriver_path)
export CHROMIUM_PATH CHROMEDRIVER
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never

check "contracts compile" node contracts/build.mjs
check "formatted" cargo fmt --all --check
check "protocol and actions compile without features" cargo check --quiet --lib --no-default-features
check "lints, server" cargo clippy --quiet --features ssr --all-targets -- -D warnings
check "lints, page" cargo clippy --quiet --target wasm32-unknown-unknown --lib --features hydrate -- -D warnings
suite "unit, integration and doc tests" cargo test --features ssr --no-fail-fast
check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --lib --features ssr
# An app that has use-aa as a dependency, without our pages; the browser's side is linked, so that names clash here and not there.
suite "an app on the crate: server" cargo test --quiet --package consumer --features ssr
check "an app on the crate: browser" \
  cargo build --quiet --package consumer --lib --target wasm32-unknown-unknown --features hydrate
suite "wasm tests in Chromium" tools/wasm-test.sh
check "front end builds" tools/front.sh
check "server builds" cargo build --quiet --features ssr
suite "browser flows" npm --prefix end2end test --silent

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

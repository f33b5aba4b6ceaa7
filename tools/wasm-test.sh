#!/usr/bin/env bash
# wasm-test.sh: the tests marked #[wasm_bindgen_test], tests/wasm_*.rs, in a headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
export CHROMEDRIVER=${CHROMEDRIVER:-$(chromedriver_path)}
cargo build --quiet --package use-aa-xtask --features wasm-tests,dev
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(realpath "$TARGET_DIR/debug/use-aa-wasm-test-runner")
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER
# Only the files that hold such tests: linking the others takes a minute and shows nothing.
exec cargo test --target wasm32-unknown-unknown --features hydrate --test 'wasm_*' "$@"

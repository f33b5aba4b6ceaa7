#!/usr/bin/env bash
# wasm-test.sh: the tests marked #[wasm_bindgen_test], in a headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
export CHROMEDRIVER=${CHROMEDRIVER:-$(chromedriver_path)}
cargo build --quiet --package use-aa-xtask --features wasm-tests
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(realpath "$TARGET_DIR/debug/use-aa-wasm-test-runner")
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER
exec cargo test --target wasm32-unknown-unknown --features hydrate --tests "$@"

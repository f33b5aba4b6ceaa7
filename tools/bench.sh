#!/usr/bin/env bash
# bench.sh: the figures of README and issues, measured on the release build. Prints tables; asserts nothing.
# BENCH_RUNS (default 20): how often each click is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
. tools/steps.sh
step "tools" tools/install.sh all >&2
CHROMIUM_PATH=$(chromium_path); export CHROMIUM_PATH
if ! command -v wrk >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get install -y -qq --no-install-recommends wrk >&2
fi
step "contracts" node contracts/build.mjs >&2
beside "server" cargo build --quiet --release --features ssr --lib
step "page" cargo xtask page >&2

# What the page computes, built as the page is but for wasm-opt's last pass.
page_bench="$TARGET_DIR/page-bench"
step "page's computations" cargo build --quiet --target wasm32-unknown-unknown --profile wasm-release --features hydrate \
  --example page_bench >&2
rm -rf "$page_bench"
cargo xtask bindgen "$TARGET_DIR/wasm32-unknown-unknown/wasm-release/examples/page_bench.wasm" "$page_bench"
wait_for "server"
step "server with the page" cargo build --quiet --release --features ssr --bin use-aa >&2

# criterion's figures are taken before the browser warms the machine up, and printed last
protocol=$steps_folder/protocol
step "criterion" cargo bench --quiet --bench protocol -- --output-format bencher >"$protocol" 2>/dev/null
USE_AA_BINARY=$(realpath "$TARGET_DIR/release/use-aa") USE_AA_PAGE_BENCH=$(realpath "$page_bench") \
  node end2end/bench/page.mjs
step "relay's bench" cargo build --quiet --release --features ssr --example relay_bench >&2
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
USE_AA_BINARY=$(realpath "$TARGET_DIR/release/use-aa") "$TARGET_DIR/release/examples/relay_bench"
printf '\n== Protocol, native (criterion)\n'
awk -F' \\.\\.\\. bench: *' '/^test /{sub(/^test /, "", $1); sub(/ ns\/iter.*/, "", $2); gsub(",", "", $2);
  printf "%-52s %12.1f us\n", $1, $2 / 1000}' "$protocol"

printf '\n== Distributed session keys, 3 of 5 processes\n'
cargo bench --quiet --features ssr --bench dan

summary >&2

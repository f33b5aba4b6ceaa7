#!/usr/bin/env bash
# bench.sh: the figures of README and issues, measured on the release build. Prints tables; asserts nothing.
# BENCH_RUNS (default 20): how often each click is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
tools/install.sh all >&2
CHROMIUM_PATH=$(chromium_path); export CHROMIUM_PATH
if ! command -v wrk >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get install -y -qq --no-install-recommends wrk >&2
fi
node contracts/build.mjs >&2
tools/front.sh >&2
cargo build --release --features ssr --bin use-aa >&2

# What the page computes, built as the page is but for wasm-opt's last pass: same profile, and the flags that
# cargo-leptos sets for a page in chunks, so that the dependencies are compiled once.
page_bench="$TARGET_DIR/page-bench"
RUSTFLAGS="--cfg erase_components -Clink-args=--emit-relocs" cargo build --target-dir "$TARGET_DIR/front" \
  --target wasm32-unknown-unknown --profile wasm-release --features hydrate --example page_bench >&2
rm -rf "$page_bench"
wasm-bindgen --target web --out-dir "$page_bench" \
  "$TARGET_DIR/front/wasm32-unknown-unknown/wasm-release/examples/page_bench.wasm"

# criterion's figures are taken before the browser warms the machine up, and printed last
protocol=$(mktemp); trap 'rm -f "$protocol"' EXIT
cargo bench --quiet --bench protocol -- --output-format bencher >"$protocol" 2>/dev/null
USE_AA_BINARY=$(realpath "$TARGET_DIR/release/use-aa") USE_AA_PAGE_BENCH=$(realpath "$page_bench") \
  node end2end/bench/page.mjs
cargo build --release --features ssr --example relay_bench >&2
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
USE_AA_BINARY=$(realpath "$TARGET_DIR/release/use-aa") "$TARGET_DIR/release/examples/relay_bench"
printf '\n== Protocol, native (criterion)\n'
awk -F' \\.\\.\\. bench: *' '/^test /{sub(/^test /, "", $1); sub(/ ns\/iter.*/, "", $2); gsub(",", "", $2);
  printf "%-52s %12.1f us\n", $1, $2 / 1000}' "$protocol"

printf '\n== Distributed session keys, 3 of 5 processes\n'
cargo bench --quiet --features ssr --bench dan

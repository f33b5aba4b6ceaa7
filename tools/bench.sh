#!/usr/bin/env bash
# bench.sh: the figures of README and issues, measured on the release build. Prints tables; asserts nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
tools/install.sh all
CHROMIUM_PATH=$(chromium_path); export CHROMIUM_PATH
if ! command -v wrk >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get install -y -qq --no-install-recommends wrk >&2
fi
node contracts/build.mjs
tools/front.sh >&2
cargo build --release --features ssr --bin use-aa >&2
USE_AA_BINARY="$PWD/target/release/use-aa" node end2end/bench/page.mjs
printf '\n== Protocol, native (criterion)\n'
cargo bench --quiet --bench protocol -- --output-format bencher 2>/dev/null | grep '^test ' || true

#!/usr/bin/env bash
# front.sh: what the browser downloads, size-minded and split into chunks, with .br and .gz beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
tools/install.sh rust
tools/install.sh npm
cargo leptos build --project use-aa --release --frontend-only --split --precompress --lib-features hydrate,lazy,app
node tools/loader.mjs

#!/usr/bin/env bash
# front.sh: what the browser downloads, size-minded and split into chunks, with .br and .gz beside it. Arguments go to
# `cargo xtask page`.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
. tools/steps.sh
step "rust" tools/install.sh rust
# The wasm needs nothing from npm; what is made of it does.
beside "npm packages" tools/install.sh npm
step "page's wasm" cargo xtask wasm "$@"
wait_for "npm packages"
step "page" cargo xtask page "$@"
summary

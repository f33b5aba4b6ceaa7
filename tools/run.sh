#!/usr/bin/env bash
# run.sh: installs what is missing, builds, starts the local lab and serves. Arguments go to `use-aa`.
#
# The server is built with the profile `serve` of Cargo.toml: as fast as a person at the page can tell, and compiled in a
# fraction of the time that `release` takes.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
. tools/steps.sh

npm_and_contracts() { tools/install.sh npm && node contracts/build.mjs; }

step "rust" tools/install.sh rust
beside "npm packages and contracts" npm_and_contracts
# Beside the page: linking its wasm keeps one core busy for a minute, and wasm-opt two of its pieces for longer.
beside "server" cargo build --quiet --profile serve --features ssr --lib
step "page's wasm" cargo xtask wasm
wait_for "npm packages and contracts"
step "page" cargo xtask page
echo "the server is still being compiled" >&2
wait_for "server"
# The program takes the page in: only this last small piece waits for it.
step "server with the page" cargo build --quiet --profile serve --features ssr --bin use-aa
summary
steps_end # exec runs no trap
exec "$TARGET_DIR/serve/use-aa" "${@:-serve}"

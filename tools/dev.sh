#!/usr/bin/env bash
# dev.sh: installs what is missing, starts the lab once, serves, and builds anew whatever changes. Ctrl-C ends all of it.
#
# The tool is optimized a little (profile `serve`): it takes 30 MB of wasm apart after each change.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh

tools/install.sh rust
tools/install.sh npm
node contracts/build.mjs
cargo build --profile serve --package use-aa-xtask --features dev

# Lab and server end with the tool, however that ends.
exec tools/group.sh "$TARGET_DIR/serve/use-aa-xtask" dev

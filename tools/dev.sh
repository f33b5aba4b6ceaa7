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

# A process group of its own: lab and server are in it, too, and end with it however the tool ends.
set -m
"$TARGET_DIR/serve/use-aa-xtask" dev &
group=$!
set +m
end() { trap - EXIT INT TERM HUP; kill -TERM -- "-$group" 2>/dev/null || true; wait "$group" 2>/dev/null || true; }
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
wait "$group"

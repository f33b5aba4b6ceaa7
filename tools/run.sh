#!/usr/bin/env bash
# run.sh: installs what is missing, builds, starts the local lab and serves. Arguments go to `use-aa`.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh
tools/install.sh rust
tools/install.sh npm
node contracts/build.mjs
tools/front.sh
cargo build --release --features ssr --bin use-aa
exec "$TARGET_DIR/release/use-aa" "${@:-serve}"

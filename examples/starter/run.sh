#!/bin/sh
# Builds page and server and serves them, by the tool of use-aa. `cargo leptos watch` does the same and reloads.
set -eu
cd "$(dirname "$0")"
use_aa=${USE_AA:-$(sed -n 's/^use-aa = {.*path = "\([^"]*\)".*/\1/p' Cargo.toml)}
[ -f "$use_aa/Cargo.toml" ] || { echo "run.sh: set USE_AA to a checkout of use-aa (an absolute path)" >&2; exit 1; }
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
# As cargo-leptos sets them; in a workspace, `site` may be the page of another app.
export LEPTOS_OUTPUT_NAME=starter LEPTOS_SITE_ROOT="$target/starter-site" RUSTFLAGS="--cfg erase_components"
pkg=$LEPTOS_SITE_ROOT/pkg

cargo build --lib --target wasm32-unknown-unknown --features hydrate
cargo run --quiet --manifest-path "$use_aa/Cargo.toml" --package use-aa-xtask -- \
  bindgen "$target/wasm32-unknown-unknown/debug/starter.wasm" "$pkg"
mv "$pkg/starter_bg.wasm" "$pkg/starter.wasm"
cp style/main.css "$pkg/starter.css"
cargo build --features ssr
exec "$target/debug/starter"

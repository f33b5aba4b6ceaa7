#!/usr/bin/env bash
# install.sh [rust|npm|chromium|postgres|all]: installs what is missing, and says in one line what it cannot install.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh

need() { # need COMMAND "what to do"
  command -v "$1" >/dev/null 2>&1 || { echo "use-aa needs '$1': $2" >&2; exit 1; }
}

crate_version() { # the version of a crate in Cargo.lock
  awk -v name="$1" '$0 == "name = \"" name "\"" { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

install_rust() {
  need cargo "install Rust with rustup, https://rustup.rs"
  need cc "install a C compiler and linker (Debian: apt-get install build-essential)"
  if command -v rustup >/dev/null 2>&1; then
    rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
  fi
  if ! cargo leptos --version >/dev/null 2>&1; then
    if command -v cargo-binstall >/dev/null 2>&1 && cargo binstall -y "cargo-leptos@$CARGO_LEPTOS_VERSION"; then :; else
      echo "installing cargo-leptos $CARGO_LEPTOS_VERSION from source: about ten minutes, once" >&2
      # it only orchestrates: built for a short build, not for speed
      CARGO_TARGET_DIR=target/tools-build CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --locked "cargo-leptos@$CARGO_LEPTOS_VERSION" --no-default-features
      rm -rf target/tools-build
    fi
  fi
  # cargo-leptos does not compare it with Cargo.lock; another version breaks the page
  local bindgen; bindgen=$(crate_version wasm-bindgen)
  if [ "$(wasm-bindgen --version 2>/dev/null)" != "wasm-bindgen $bindgen" ]; then
    echo "installing wasm-bindgen-cli $bindgen" >&2
    CARGO_TARGET_DIR=target/tools-build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
      cargo install "wasm-bindgen-cli@$bindgen" --root target/tools
    rm -rf target/tools-build
  fi
}

install_npm() {
  need node "install Node.js 20 or newer"
  need npm "install npm (it comes with Node.js)"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || { echo "use-aa needs Node.js 20 or newer, this is $(node --version)" >&2; exit 1; }
  if ! cmp -s end2end/package-lock.json end2end/node_modules/.use-aa-lock; then
    # not `npm ci`: it refuses a lock file that lacks the packages of other platforms
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix end2end install --no-save --no-audit --no-fund --loglevel=error >&2
    cp end2end/package-lock.json end2end/node_modules/.use-aa-lock
  fi
}

install_chromium() {
  chromium_path >/dev/null && [ -n "$(chromedriver_path)" ] && return
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >&2
  fi
  chromium_path >/dev/null || { echo "use-aa's browser tests need Chromium: install it, or name it in CHROMIUM_PATH" >&2; exit 1; }
  [ -n "$(chromedriver_path)" ] || { echo "use-aa's wasm tests need chromedriver: install it, or name it in CHROMEDRIVER" >&2; exit 1; }
}

install_postgres() {
  postgres_bin >/dev/null && return
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    # only the programs: the tests make and end clusters of their own
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
  fi
  postgres_bin >/dev/null || { echo "use-aa's database tests need PostgreSQL: install it, or name the folder of initdb and postgres in POSTGRES_BIN" >&2; exit 1; }
}

case "${1:-all}" in
  rust) install_rust ;;
  npm) install_npm ;;
  chromium) install_chromium ;;
  postgres) install_postgres ;;
  all) install_rust; install_npm; install_chromium; install_postgres ;;
  *) echo "install.sh: rust, npm, chromium, postgres or all" >&2; exit 2 ;;
esac

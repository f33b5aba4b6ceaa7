#!/usr/bin/env bash
# install.sh [check|rust|npm|system|all]: installs what is missing, and says in one line what it cannot install.
#   check    says so, of everything that `make run` needs, and installs nothing; `check tests` of what `make test` needs
#   system   Chromium with its driver, and PostgreSQL's programs; Firefox and WebKit, without which tests say so and go on
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/env.sh

need() { # need COMMAND "what to do"
  command -v "$1" >/dev/null 2>&1 || { echo "use-aa needs '$1': $2" >&2; exit 1; }
}

check() {
  need cargo "install Rust with rustup, https://rustup.rs"
  need cc "install a C compiler and linker (Debian: apt-get install build-essential)"
  need node "install Node.js 20 or newer"
  need npm "install npm (it comes with Node.js)"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || { echo "use-aa needs Node.js 20 or newer, this is $(node --version)" >&2; exit 1; }
}

install_rust() {
  if command -v rustup >/dev/null 2>&1; then
    rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
  fi
}

install_npm() {
  if ! cmp -s end2end/package-lock.json end2end/node_modules/.use-aa-lock; then
    # not `npm ci`: it refuses a lock file that lacks the packages of other platforms
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix end2end install --no-save --no-audit --no-fund --loglevel=error >&2
    cp end2end/package-lock.json end2end/node_modules/.use-aa-lock
  fi
  # the image of deploy/ has no lab, and so no contracts/
  [ ! -d contracts ] || node contracts/nexus.mjs >&2
}

has_apt() { command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; }

check_system() { # what is not there, and no package manager may bring
  chromium_path >/dev/null || { echo "use-aa's browser tests need Chromium: install it, or name it in CHROMIUM_PATH" >&2; exit 1; }
  [ -n "$(chromedriver_path)" ] || { echo "use-aa's wasm tests need chromedriver: install it, or name it in CHROMEDRIVER" >&2; exit 1; }
  postgres_bin >/dev/null || { echo "use-aa's database tests need PostgreSQL: install it, or name the folder of initdb and postgres in POSTGRES_BIN" >&2; exit 1; }
}

apt_install() {
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

install_other_browsers() { # as end2end/fixtures/browsers looks for them; what cannot be had, the tests name
  local name missing=()
  [ -n "${FIREFOX_PATH:-}" ] || command -v firefox-esr firefox >/dev/null || missing+=(firefox-esr)
  command -v WebKitWebDriver >/dev/null || missing+=(webkit2gtk-driver)
  command -v Xvfb >/dev/null || missing+=(xvfb)
  for name in "${missing[@]}"; do apt_install "$name" || true; done
}

install_system() {
  local missing=()
  { chromium_path >/dev/null && [ -n "$(chromedriver_path)" ]; } || missing+=(chromium chromium-driver)
  postgres_bin >/dev/null || missing+=(postgresql)
  # verifies the units of deploy/; where it cannot be had the test says so
  ! has_apt || command -v systemd-analyze >/dev/null 2>&1 || missing+=(systemd)
  if [ "${#missing[@]}" != 0 ] && has_apt; then
    # only PostgreSQL's programs: the tests make and end clusters of their own
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt_install "${missing[@]}"
  fi
  check_system
  ! has_apt || install_other_browsers
}

case "${1:-all}" in
  check) check; [ "${2:-}" != tests ] || has_apt || check_system ;;
  rust) check; install_rust ;;
  npm) check; install_npm ;;
  system) install_system ;;
  all) check; install_rust; install_npm; install_system ;;
  *) echo "install.sh: check, rust, npm, system or all" >&2; exit 2 ;;
esac

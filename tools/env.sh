# Sourced by the other tools: paths.
# where cargo builds; CARGO_TARGET_DIR when it is set
TARGET_DIR=${CARGO_TARGET_DIR:-target}
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PWD/end2end/node_modules/.bin:$PATH"

chromium_path() { # the browser: CHROMIUM_PATH, else the one on PATH
  if [ -n "${CHROMIUM_PATH:-}" ]; then printf '%s\n' "$CHROMIUM_PATH"; return; fi
  command -v chromium || command -v chromium-browser || command -v google-chrome-stable || command -v google-chrome
}

chromedriver_path() {
  if [ -n "${CHROMEDRIVER:-}" ]; then printf '%s\n' "$CHROMEDRIVER"; return; fi
  command -v chromedriver || true
}

postgres_bin() { # the folder of initdb and postgres: POSTGRES_BIN, else on PATH, else where Debian keeps them
  local folder
  for folder in ${POSTGRES_BIN:+"$POSTGRES_BIN"} $(command -v initdb | xargs -r dirname) /usr/lib/postgresql/*/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then printf '%s\n' "$folder"; return; fi
  done
  return 1
}

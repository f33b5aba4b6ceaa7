# Sourced by the other tools: steps, one after the other or beside others, and how long each took.
#   step NAME COMMAND...        runs it
#   beside NAME COMMAND...      starts it; its output is kept until it fails
#   wait_for NAME               waits for one that was started, and fails when it failed
#   summary                     the seconds of each

steps_folder=$(mktemp -d)
steps_names=()
declare -A steps_pid=()

steps_end() { # what still runs beside ends with us
  local name
  for name in "${!steps_pid[@]}"; do kill -- "-${steps_pid[$name]}" 2>/dev/null; done
  rm -rf "$steps_folder"
}
trap steps_end EXIT

steps_took() { steps_names+=("$1"); printf '%s' "$2" >"$steps_folder/${1// /_}.took"; }

step() {
  local name=$1 start=$SECONDS code=0; shift
  printf '\n== %s (%ss)\n' "$name" "$SECONDS"
  "$@" || code=$?
  steps_took "$name" $((SECONDS - start))
  return "$code"
}

beside() {
  local name=$1 file=$steps_folder/${1// /_}; shift
  steps_names+=("$name")
  set -m # a process group of its own, so that all of it can be ended
  ( start=$SECONDS code=0; "$@" >"$file.log" 2>&1 || code=$?; printf '%s' $((SECONDS - start)) >"$file.took"; exit "$code" ) &
  steps_pid[$name]=$!
  set +m
}

wait_for() {
  local name=$1 file=$steps_folder/${1// /_} code=0
  wait "${steps_pid[$name]}" || code=$?
  unset "steps_pid[$name]"
  [ "$code" = 0 ] || { printf '\n== %s failed\n' "$name"; cat "$file.log"; }
  return "$code"
}

summary() {
  local name took
  printf '\n== seconds (steps that ran beside others overlap)\n'
  for name in "${steps_names[@]}"; do
    took=$(cat "$steps_folder/${name// /_}.took" 2>/dev/null || echo '?')
    printf '  %-52s %5s\n' "$name" "$took"
  done
  printf '  %-52s %5s\n' "all" "$SECONDS"
}

#!/usr/bin/env bash
# group.sh COMMAND...: runs it in a process group of its own, and ends all of the group with it, however it ends.
set -euo pipefail
set -m
"$@" &
group=$!
set +m
end() {
  trap - EXIT
  trap '' INT TERM HUP
  kill -TERM -- "-$group" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 -- "-$group" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$group" 2>/dev/null || true
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
wait "$group"

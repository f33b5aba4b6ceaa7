# Sourced by test.sh: what the output of the test runners says.
#   tests_counted FILE passed|failed
#   tests_failed FILE      one a line: a test, or a test binary that died
#   tests_why FILE         the first lines of what the runner says of each failure
#   tests_notes FILE       what was not tried here, and why

tests_counted() { # "test result: ok. 3 passed; 1 failed" (cargo, wasm-bindgen) and "  3 passed (4s)" (Playwright)
  grep -E '^(test result:|  [0-9]+ (passed|failed|flaky))' "$1" | grep -oE "[0-9]+ $2" | awk '{n += $1} END {print n + 0}'
}

# cargo's last list under "failures:" before a "test result: FAILED", and after it how to run that binary again; of one
# that was ended, the tests that ran for long and told no result. Playwright's list under "  2 failed".
tests_failed() {
  awk '
    function tell(place) { gsub(/\n/, place "\n", names); printf "%s", names; names = "" }
    function listed() { list = list substr($0, 5) "\n" }
    /^failures:$/ { within = "cargo"; list = ""; next }
    within == "cargo" && /^    [^ ]/ { listed(); next }
    /^ +Running / { split("", slow) }
    /^test .* has been running for over 60 seconds$/ { slow[$2] = 1 }
    /^test .* \.\.\. / { delete slow[$2] }
    /^test result: FAILED/ { tell(""); names = list; list = ""; next }
    /^error: (doc)?test failed, to rerun pass `/ {
      split($0, parts, "`")
      if (names == "") for (name in slow) names = names name ", which did not end\n"
      if (names == "") names = "a test binary that died\n"
      split("", slow)
      tell(" (" parts[2] ")"); next
    }
    /^  [0-9]+ (failed|flaky|interrupted)$/ { if (within != "playwright") list = ""; within = "playwright"; next }
    within == "playwright" && /^    [^ ]/ { sub(/ (─)+ *$/, ""); listed(); next }
    /^  [0-9]+ (skipped|did not run|passed.*)$/ || /^$/ { next }
    { within = "" }
    END { tell(""); if (within == "playwright") printf "%s", list }
  ' "$1"
}

# Between "---- name stdout ----" and the next such line or cargo's list; below Playwright's "  1) file › name ───".
tests_why() {
  awk '
    { gsub(/\033\[[0-9;]*m/, ""); $0 = substr($0, 1, 240) }
    /^---- .* stdout ----$/ || /^  +[0-9]+\) / { sub(/ (─)+ *$/, ""); print; left = 14; next }
    /^failures:$/ || /^  [0-9]+ (failed|flaky|interrupted|skipped|did not run|passed.*)$/ { left = 0 }
    left > 0 && NF { print; left-- }
  ' "$1"
}

tests_notes() { grep '^NOTE: ' "$1" || true; }

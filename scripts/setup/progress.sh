# Progress lines of the set-up. Sourced; needs $root.

started=$(date +%s)
logs="$root/.cache/setup"

say() {
  printf '[%3ds] %s\n' $(($(date +%s) - started)) "$*"
}

fail() {
  say "$1" >&2
  [ -z "${2:-}" ] || printf '       %s\n' "$2" >&2
  exit 1
}

fail_not_writable() {
  fail "cannot write to $root/.cache" "It belongs to somebody else; run: sudo chown -R \"\$(id -un)\" '$root'"
}

# logged NAME ADVICE COMMAND...: runs a command with its output in a log. While it runs a line tells every ten seconds
# that it does; when it fails, the end of the log and what to do are printed and the set-up ends.
logged() {
  [ -w "$logs" ] || fail_not_writable
  log="$logs/$1.log"
  name=$1
  advice=$2
  shift 2
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  (
    while sleep 10 >/dev/null 2>&1; do say "$name: at work; $(tail -n 1 "$log" | cut -c 1-90)"; done
  ) 9<&- &
  ticker=$!
  status=0
  wait "$child" || status=$?
  kill "$ticker" 2>/dev/null
  wait "$ticker" 2>/dev/null || :
  [ "$status" -eq 0 ] && return
  say "$name: failed with status $status; the end of its log:" >&2
  tail -n 30 "$log" | sed 's/^/       | /' >&2
  printf '       whole log: %s\n       %s\n' "$log" "$advice" >&2
  exit 1
}

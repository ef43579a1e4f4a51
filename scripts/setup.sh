#!/bin/sh
# Makes a clean checkout ready: system packages, Node.js, npm dependencies, builds. Does only what is not done yet.
#   sh scripts/setup.sh [--tests]    with --tests also the system packages that only `npm test` uses
#
# This part runs before the checkout's own Node.js exists and brings it; scripts/setup.ts does the rest.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
case $(uname -s) in
Linux) ;;
*) exec sh scripts/setup/other-system.sh ;;
esac
. scripts/setup/progress.sh
. scripts/setup/system-packages.sh

groups=run
[ "${1:-}" != --tests ] || groups='run test'

# One set-up at a time; the others wait and find the work done. The lock goes with this process and setup.ts.
mkdir -p "$logs" 2>/dev/null && : >>"$logs/lock" 2>/dev/null || [ -r "$logs/lock" ] || fail_not_writable
exec 9<"$logs/lock"
flock -n 9 || {
  say 'another set-up of this checkout is running; waiting for it'
  flock 9
}

# shellcheck disable=SC2086 # one word per group
missing=$(missing_packages $groups)
if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    say 'these system packages are missing:' >&2
    printf '%s\n' "$missing" | awk -F '\t' '{ printf "         %-18s %s\n", $1, $2 }' >&2
    printf '\nRun this once, then start again:\n\n    sudo sh scripts/setup-system.sh%s\n\n' "${1:+ $1}" >&2
    exit 1
  fi
  sh scripts/setup-system.sh ${1:+"$1"} 9<&-
fi

# npm tells its children about the package that it runs a script of; this is another one.
unset npm_config_local_prefix npm_config_prefix npm_config_global_prefix npm_package_json npm_lifecycle_event 2>/dev/null || :
. scripts/setup/toolchain.sh
ensure_toolchain
[ "${1:-}" != --tests ] || ensure_zig
PATH="$root/.toolchain/bin:$PATH"
export PATH
A3S_BOX_SETUP_STARTED=$started node scripts/setup.ts ${1:+"$1"}

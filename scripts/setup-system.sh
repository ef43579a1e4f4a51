#!/bin/sh
# Installs the system packages that are missing, saying which and why. Needs root.
#   sh scripts/setup-system.sh [--tests]    with --tests also what only `npm test` uses
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/setup/progress.sh"
. "$root/scripts/setup/system-packages.sh"

groups=run
case ${1:-} in
'') ;;
--tests) groups='run test' ;;
*) fail "setup-system: unknown argument $1" 'usage: sh scripts/setup-system.sh [--tests]' ;;
esac

# shellcheck disable=SC2086 # one word per group
missing=$(missing_packages $groups)
if [ -z "$missing" ]; then
  say 'system packages: all there'
  exit 0
fi
command -v apt-get >/dev/null 2>&1 || {
  printf '%s\n' "$missing" >&2
  fail 'system packages: this system has no apt-get' 'Install what the packages above stand for with the tools of your system, then start again.'
}
[ "$(id -u)" -eq 0 ] || fail 'system packages: installing needs root' "Run: sudo sh scripts/setup-system.sh${1:+ $1}"

say 'system packages: installing what is missing'
printf '%s\n' "$missing" | awk -F '\t' '{ printf "         %-18s %s\n", $1, $2 }'
mkdir -p "$logs"
# The rest of the set-up belongs to the checkout's owner.
chown --reference="$root" "$root/.cache" "$logs"
export DEBIAN_FRONTEND=noninteractive
logged apt-update 'Check /etc/apt/sources.list and the network, then start again.' \
  apt-get -q -o DPkg::Lock::Timeout=600 update
# shellcheck disable=SC2046 # one word per package
logged apt-install 'Run the same apt-get install by hand to see what it asks for, then start again.' \
  apt-get -q -y -o DPkg::Lock::Timeout=600 --no-install-recommends install \
  $(printf '%s\n' "$missing" | cut -f 1)
# shellcheck disable=SC2086
left=$(missing_packages $groups)
[ -z "$left" ] || fail "system packages: installed, but still not usable: $(printf '%s' "$left" | cut -f 1 | tr '\n' ' ')" \
  'An older version earlier in PATH hides it, perhaps: check with `command -v`.'
say 'system packages: done'

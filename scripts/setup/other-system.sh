#!/bin/sh
# Set-up on macOS and Windows: says what is missing, installs no system package, and builds where it can. Needs Node.js 24.
#   sh scripts/setup/other-system.sh
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
[ "$major" -ge 24 ] || {
  echo 'set-up: Node.js 24 or newer is missing' >&2
  echo '  macOS: brew install node@24 && brew link --overwrite node@24; Windows: winget install OpenJS.NodeJS' >&2
  exit 1
}
node scripts/setup/check-system.ts
case $(uname -s) in
Darwin) exec node scripts/setup.ts ;;
# A checkout is not built on Windows.
*) ;;
esac

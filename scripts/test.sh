#!/bin/sh
# `npm test [-- ARGUMENTS]`: sets up what is missing, then runs the tests. scripts/test.ts tells the arguments.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
sh "$root/scripts/setup.sh" --tests
PATH="$root/.toolchain/bin:$root/node_modules/.bin:$PATH"
export PATH
cd "$root"
exec node scripts/test.ts "$@"

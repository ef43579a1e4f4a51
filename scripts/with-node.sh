#!/bin/sh
# Runs a command with this checkout's Node.js and tools first in PATH.
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
PATH="$root/.toolchain/bin:$root/node_modules/.bin:$PATH"
export PATH
exec "$@"

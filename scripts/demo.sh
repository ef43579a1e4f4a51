#!/bin/sh
# `npm run demo`: sets up what is missing, makes the starter image and runs it in a microVM.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
sh "$root/scripts/setup.sh"
PATH="$root/.toolchain/bin:$root/node_modules/.bin:$PATH"
export PATH
cd "$root"
node scripts/starter.ts
command='a3s-box run --rm a3s/starter'
echo
echo "\$ $command sh -c '...'"
# shellcheck disable=SC2016 # the guest's shell expands it
exec $command sh -c 'echo "Hello from a microVM: Linux $(uname -r) on $(uname -m), host name $(hostname)."
echo "Process 1 here is \"$(cat /proc/1/comm)\"; memory: $(awk "/MemTotal/ { print int(\$2 / 1024) }" /proc/meminfo) MiB, CPUs: $(nproc)."'

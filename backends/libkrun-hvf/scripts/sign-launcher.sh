#!/bin/sh
# Signs the launcher with the entitlement that macOS asks for before it gives a process a virtual machine.
#   sh scripts/sign-launcher.sh LAUNCHER [IDENTITY]
# IDENTITY: a certificate of the key chain (`security find-identity -v -p codesigning`). Without one the signature is ad hoc,
# which is enough for this Mac and not for others.
set -eu
package=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
launcher=${1:-}
identity=${2:--}
[ -n "$launcher" ] && [ -f "$launcher" ] || {
  echo "sign-launcher: no such file: ${launcher:-(none given)}; build it first: npm run build in native/" >&2
  exit 1
}
command -v codesign >/dev/null 2>&1 || {
  echo 'sign-launcher: codesign is not there; install it: xcode-select --install' >&2
  exit 1
}
# The hardened runtime, which notarisation asks for, checks libraries; libkrun's signature is somebody else's (entitlements.plist).
codesign --force --options runtime --entitlements "$package/entitlements.plist" --sign "$identity" "$launcher"
codesign --verify --strict "$launcher"
echo "sign-launcher: $launcher is signed"

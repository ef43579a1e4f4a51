# Functions about the system packages of scripts/setup/packages.txt. Sourced; needs $root.

# Prints "MAJOR.MINOR" as a number that can be compared: 1.85 as 1085.
version_number() {
  printf '%s\n' "$1" | awk -F. '{ print $1 * 1000 + $2 }'
}

# Whether cargo and rustc are there and new enough for the crate whose Cargo.toml is given.
has_rust() {
  command -v cargo >/dev/null 2>&1 && command -v rustc >/dev/null 2>&1 || return 1
  wanted=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$root/$1" 2>/dev/null)
  found=$(rustc --version 2>/dev/null | awk '{ print $2 }')
  [ -n "$found" ] && [ "$(version_number "$found")" -ge "$(version_number "${wanted:-1.85}")" ]
}

has_package() {
  case $1 in
  # Not everybody has the administrator's directories in PATH.
  command:*) (PATH="$PATH:/usr/sbin:/sbin" && command -v "${1#command:}" >/dev/null 2>&1) ;;
  file:*) [ -s "${1#file:}" ] ;;
  package:*) [ "$(dpkg-query -W -f '${db:Status-Status}' "${1#package:}" 2>/dev/null)" = installed ] ;;
  rust:*) has_rust "${1#rust:}" ;;
  *) echo "scripts/setup/packages.txt: unknown check $1" >&2 && return 2 ;;
  esac
}

# missing_packages GROUP...: prints "package<TAB>reason" for each package of the groups that is not there.
missing_packages() {
  while read -r group package check reason; do
    case $group in '' | '#'*) continue ;; esac
    case " $* " in *" $group "*) ;; *) continue ;; esac
    has_package "$check" </dev/null || printf '%s\t%s\n' "$package" "$reason"
  done <"$root/scripts/setup/packages.txt"
}

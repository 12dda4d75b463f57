# shellcheck shell=bash
# lib.sh: what the scripts share. Sourced by each of them; leaves the shell in the root of the repository.
set -euo pipefail
script=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '==> %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${script##*/}" "$*" >&2; exit 1; }

# The header comment of a script is its help text.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$script"; }

# take_lock NAME: holds a lock until this process ends, so that two scripts do not work in one folder at once.
take_lock() {
  mkdir -p build
  exec 9>"build/.$1.lock"
  flock -n 9 || { say "waiting for another $1"; flock 9; }
}

# content_hash PATH...: one hash over names and contents; what is generated or installed does not count.
content_hash() {
  find "$@" -type d \( -name node_modules -o -name dist -o -name generated \) -prune -o -type f -print0 |
    sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

# up_to_date STAMP HASH: whether the work stamped HASH was done.
up_to_date() { [[ -f $1 && $(<"$1") == "$2" ]]; }

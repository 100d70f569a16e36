# Shared by tools/demo, tools/test and tools/cross; to be sourced, not run.
# shellcheck shell=bash

# What a build needs from Debian.  tools/test adds to it.
# shellcheck disable=SC2034
build_packages=(gcc libc6-dev meson ninja-build pkg-config)

prog=$(basename "$0")

say() { printf '%s: %s\n' "$prog" "$*"; }
die() { printf '%s: %s\n' "$prog" "$*" >&2; exit 2; }

# The help text of a script is its head comment.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# have PACKAGE: is it there, from Debian or by other means?
have() {
  case $1 in
    ninja-build) command -v ninja ;;
    pkg-config | gcc | g++ | clang | meson | valgrind) command -v "$1" ;;
    libcunit1-dev) pkg-config --exists cunit ;;
    libc6-dev) test -e /usr/include/stdlib.h ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>&1 | grep -q '^install ok installed' ;;
  esac >/dev/null 2>&1
}

# need PACKAGE...: installs those that are missing, with apt-get, and says so; `installed` is set then.
installed=
need() {
  local package missing=() root=()
  for package; do have "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0

  command -v apt-get >/dev/null ||
    die "missing: ${missing[*]} (Debian's names), and there is no apt-get; please install them by hand"
  if (($(id -u))); then
    root=(sudo)
    [[ -t 0 ]] || root+=(-n) # nobody is there to type a password
    command -v sudo >/dev/null ||
      die "missing packages, and neither root nor sudo to install them; please run as root:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    "${root[@]}" true || die "sudo does not let us install ${missing[*]}"
  fi

  say "installing with apt-get: ${missing[*]}"
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
  local log
  log=$(mktemp)
  if ! "${apt[@]}" update >"$log" 2>&1 ||
    ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}"
  fi
  rm -f "$log"
  installed=1
}

# configure FOLDER MESON-OPTION...: sets a build folder up, or brings an older one up to date.
configure() {
  local folder=$1 again=()
  shift
  [[ -e $folder/build.ninja ]] && again=(--reconfigure)
  meson setup "${again[@]}" "$folder" "$@"
}

# The result of each test, a line each, from meson's testlog (one JSON object a line).
result_of() {
  sed -n 's/.*"result": "\([A-Z]*\)".*/\1/p'
}

# show FILE: its end, when something failed.
show() {
  echo "--- the end of $1 ---"
  tail -n 150 "$1"
  echo "--- end ---"
}

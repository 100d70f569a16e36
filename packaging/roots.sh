# Roots of a fresh Debian, for packaging/check and what it calls; to be sourced after tools/common.sh.
# shellcheck shell=bash

# shellcheck disable=SC2154
base=$top/build-base.tar # kept

# fresh FOLDER: a new root of the oldest Debian that is meant.
fresh() {
  need mmdebstrap
  [[ -e $base ]] || { mmdebstrap --quiet --variant=minbase --format=tar bookworm "$base.new" && mv "$base.new" "$base"; }
  mkdir -p "$1"
  tar -C "$1" --exclude='./dev/*' -xf "$base"
  cp /etc/resolv.conf "$1/etc/resolv.conf"
}

# inside FOLDER COMMAND...: with processes and devices, in a mount namespace of its own.
inside() {
  local folder=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork sh -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" || exit 1
    folder=$0
    exec chroot "$folder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      DEBIAN_FRONTEND=noninteractive "$@"' "$folder" "$@"
}

# foreign FOLDER: a root for packages of another distribution, with what they stand on in Debian's.
foreign() {
  fresh "$1"
  inside "$1" apt-get -qq update
  inside "$1" apt-get -qq -y --no-install-recommends install gcc libc6-dev libinih-dev pkg-config \
    libc-ares2 libdw1 libev4 libglib2.0-0 libjson-c5 libssl3 libuv1 >/dev/null
  mkdir "$1/weft"
  cp "$top/examples/hello.c" "$top/packaging/installed" "$1/weft"
}

# parts_of DISTRIBUTION: backend-uv, plugin-symbols ...
parts_of() { "$top/packaging/fill" "$1" "$top" | awk '{ print $1 "-" $2 }'; }

# left FOLDER: nothing of weft may be there any more, but for what was brought by `foreign`.
left() {
  local files
  files=$(find "$1" -xdev -name '*weft*' -not -path "$1/weft*" -not -path "$1/var/lib/rpm/*")
  [[ -z $files ]] || { echo "left behind: $files"; return 1; }
}

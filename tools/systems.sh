# The systems of tools/cross: weft is built for them with zig, and not run; to be sourced, not run.
# tools/cross has the rest of it:
# shellcheck shell=bash disable=SC2154,SC2034

systems=(freebsd netbsd openbsd macos freebsd-arm64 macos-arm64)

# system TARGET: sets family (meson's), triple (zig's) and host (meson's).
system() {
  [[ " ${systems[*]} " == *" $1 "* ]] || return
  family=x86_64 host=${1%-arm64}
  [[ $1 != *-arm64 ]] || family=aarch64
  triple=$family-$host
  [[ $host != macos ]] || host=darwin
}

# The path of zig, if ZIG names one that runs.
zig() {
  [[ -n ${ZIG-} ]] && command -v "$ZIG" && "$ZIG" version >/dev/null 2>&1
}

# run_system TARGET: one line on the screen; sets `outcome` to built, failed or skipped.
run_system() {
  local target=$1 log=$logs/$1.log began=$SECONDS path
  if ! path=$(zig); then
    outcome=skipped
    echo "skipped: ZIG does not name a zig, which has these systems' headers and libraries; it" \
      "is not in Debian: https://ziglang.org/download/"
    return
  fi
  if (build_system "$path") </dev/null >"$log" 2>&1; then
    outcome=built
    printf 'built, not run: the library, %d backend, %d programs  %4d s\n' \
      "$(find "$folder/$target" -name '*.so' -type f | wc -l)" \
      "$(find "$folder/$target" -type f ! -name '*.so*' ! -name '*.dylib' -perm -100 | wc -l)" \
      "$((SECONDS - began))"
  else
    outcome=failed
    printf 'failed  %4d s\n' "$((SECONDS - began))"
    show "$log"
  fi
}

build_system() {
  system "$target"
  compiler_of "$1" && AR="$folder/zig-ar" build_cunit "$folder/zig-cc" "$triple" || return
  system_file >"$folder/$target.ini"
  # poll is a file by itself, so that one backend is; zig 0.16 links none for macOS (it dies of -bundle).
  local inside=epoll,sim
  [[ $host != darwin ]] || inside=epoll,poll,sim
  configure "$folder/$target" --werror -Dauto_features=disabled -Dtests=enabled -Dtools=false \
    -Dbuiltin_backends=$inside --cross-file "$folder/$target.ini" || return
  ninja -C "$folder/$target"
}

# compiler_of ZIG: writes zig-cc and zig-ar.  Meson asks a linker who it is, whether its warnings can
# be errors, and gives a name and its value as two arguments: zig's does not understand that.
compiler_of() {
  printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$1" >"$folder/zig-ar"
  cat >"$folder/zig-cc" <<END
#!/bin/sh
# zig-cc TRIPLE ARGUMENT...
triple=\$1
shift
case "\$triple \$* " in
  *-macos*" -Wl,--version "*) echo 'ld: unknown option: --version' >&2; exit 1 ;;
  *-macos*" -Wl,-v "*) echo '@(#)PROGRAM:ld PROJECT:ld64-820.1' >&2; exit 0 ;;
  *" -Wl,--version "*) echo 'LLD 19.1 (compatible with GNU linkers)'; exit 0 ;;
esac
first=
for argument; do
  shift
  case \$first\$argument in
    -Wl,--fatal-warnings | -Wl,-no_weak_imports) ;;
    -Wl,-force_load) first=\$argument, ;;
    *) set -- "\$@" "\$first\$argument"; first= ;;
  esac
done
exec "$1" cc -target "\$triple" "\$@"
END
  chmod +x "$folder"/zig-{ar,cc}
}

system_file() {
  cat <<END
[binaries]
c = ['$folder/zig-cc', '$triple']
ar = ['$folder/zig-ar']
pkgconfig = 'pkg-config'
[properties]
pkg_config_libdir = '$folder/$target.cunit'
needs_exe_wrapper = true
[host_machine]
system = '$host'
cpu_family = '$family'
cpu = '$family'
endian = 'little'
END
}

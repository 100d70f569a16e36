# What stdenv does with meson among the nativeBuildInputs, in short; run by Nix as the builder.
# shellcheck shell=sh disable=SC2154,SC2086
set -eu
export HOME="$NIX_BUILD_TOP"
cp -r "$src" source
chmod -R u+w source
cd source
patchShebangs() { :; } # there is no sandbox to hide /usr/bin/env
eval "$postPatch"
export LDFLAGS="-Wl,-rpath,$out/lib" # Nix's linker adds it
meson setup --prefix="$out" --libdir="$out/lib" --buildtype=plain --wrap-mode=nodownload --auto-features=enabled \
  $mesonFlags build
ninja -C build -j "${NIX_BUILD_CORES:-2}"
[ -z "$doCheck" ] || meson test -C build --no-rebuild --print-errorlogs $mesonCheckFlags
meson install -C build --no-rebuild

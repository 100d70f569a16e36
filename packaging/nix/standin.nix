# Stands for nixpkgs, which cannot be fetched without a network: a package is its name, and the compiler,
# meson and all libraries are the ones of the machine.  What is real: the expression, Nix's evaluation,
# its store, the derivation, its environment.
{ file, src, check }:

let
  weft = import file;
  arguments = builtins.functionArgs weft;
  mkDerivation = attributes: derivation (removeAttrs attributes [ "meta" ] // {
    name = "${attributes.pname}-${attributes.version}";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ ./standin.sh ];
    doCheck = check && attributes.doCheck;
    PATH = "/usr/bin:/bin";
  }) // { inherit (attributes) meta; };
in
weft (builtins.mapAttrs (name: _: name) (removeAttrs arguments [ "lib" "stdenv" "src" ]) // {
  lib = { licenses.mit = "MIT"; platforms.unix = [ "x86_64-linux" ]; };
  stdenv = { inherit mkDerivation; };
  inherit src;
})

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches and builds what the interop peers need beyond Debian's packages, into one folder: the npm
# packages of the grpc-js peer, the .NET peer, the grpc-go peer and the proxies. Quick when nothing has
# changed. A peer whose tool (npm, dotnet, go) is missing is skipped with a word.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 TOOLS_DIR" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
tools=$(cd "$1" && pwd)

# fingerprint FILE…: changes when one of the files does.
fingerprint() { cat "$@" | sha256sum | cut -d' ' -f1; }

# is_fresh NAME PRINT: whether NAME was last set up with that fingerprint.
is_fresh() { [ -f "$tools/$1.stamp" ] && [ "$(cat "$tools/$1.stamp")" = "$2" ]; }

setup_grpcjs() {
  if ! command -v npm >/dev/null; then
    echo "interop: no npm, so no grpc-js peer"
    return 0
  fi
  print=$(fingerprint "$here/grpcjs/package.json" "$here/grpcjs/package-lock.json")
  if is_fresh grpcjs "$print"; then return 0; fi
  rm -f "$tools/grpcjs.stamp"
  mkdir -p "$tools/grpcjs"
  cp "$here/grpcjs/package.json" "$here/grpcjs/package-lock.json" "$tools/grpcjs/"
  (cd "$tools/grpcjs" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  echo "$print" >"$tools/grpcjs.stamp"
}

setup_dotnet() {
  if ! command -v dotnet >/dev/null; then
    echo "interop: no dotnet, so no .NET peer"
    return 0
  fi
  print=$(fingerprint "$here"/dotnet/*.cs "$here"/dotnet/*.csproj "$here"/dotnet/*.json \
    "$here"/proto/grpc/testing/*.proto)
  if is_fresh dotnet "$print"; then return 0; fi
  rm -f "$tools/dotnet.stamp"
  # Nothing may stay behind: no build server, no reused node, nothing in the source folder.
  DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 dotnet build "$here/dotnet/interop_peer.csproj" \
    --configuration Release --artifacts-path "$tools/dotnet" --disable-build-servers \
    -nodeReuse:false -p:RestoreLockedMode=true -verbosity:quiet
  echo "$print" >"$tools/dotnet.stamp"
}

# From Debian's packages of sources, which are no modules.
setup_grpcgo() {
  if ! versions=$(dpkg-query -W golang-go golang-google-grpc-dev golang-golang-x-net-dev \
    protoc-gen-go-1-3 2>/dev/null); then
    echo "interop: no golang-google-grpc-dev, golang-go or protoc-gen-go-1-3, so no grpc-go peer"
    return 0
  fi
  print=$(echo "$versions" | fingerprint - "$here"/grpcgo/*.go "$here"/proto/grpc/testing/*.proto)
  if is_fresh grpcgo "$print"; then return 0; fi
  rm -f "$tools/grpcgo.stamp"
  mkdir -p "$tools/grpcgo/src/interop_peer"
  cp "$here"/grpcgo/*.go "$tools/grpcgo/src/interop_peer/"
  protoc -I "$here/proto" --go_out="plugins=grpc,paths=source_relative:$tools/grpcgo/src" \
    "$here"/proto/grpc/testing/*.proto
  GO111MODULE=off GOFLAGS= GOPATH="$tools/grpcgo:/usr/share/gocode" GOCACHE="$tools/grpcgo/cache" \
    go build -o "$tools/grpcgo/interop_peer" interop_peer
  echo "$print" >"$tools/grpcgo.stamp"
}

# Unpacked and not installed: nobody wants their services started.
setup_proxies() {
  packages="nginx haproxy liblua5.3-0 libopentracing1 libopentracing-c-wrapper0"
  # shellcheck disable=SC2086
  print=$(apt-cache policy $packages | grep -v Installed | fingerprint -)
  if is_fresh proxies "$print"; then return 0; fi
  rm -rf "$tools/proxies.stamp" "$tools/proxies"
  mkdir -p "$tools/proxies"
  # shellcheck disable=SC2086
  download() { (cd "$tools/proxies" && apt-get -qq download $packages); }
  if ! download && ! { apt-get -qq update && download; }; then
    echo "interop: no nginx and no haproxy from Debian's packages"
    return 0
  fi
  for package in "$tools"/proxies/*.deb; do dpkg-deb --extract "$package" "$tools/proxies"; done
  echo "$print" >"$tools/proxies.stamp"
}

setup_proxies
setup_grpcgo
setup_grpcjs
setup_dotnet

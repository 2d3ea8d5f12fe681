#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All interop cases between two programs: interop_pair.sh SERVER CLIENT unix|port
set -eu
server=$1 client=$2 by=$3
pid=
folder=$(mktemp -d)
trap 'rm -rf "$folder"; [ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT

# The pipe says when the server listens, and where.
mkfifo "$folder/says"
case $by in
  unix) "$server" "--address=unix:$folder/s" >"$folder/says" & ;;
  port) "$server" --port=0 --use_tls=false >"$folder/says" & ;;
esac
pid=$!
exec 3<"$folder/says"
read -r _ _ target <&3
read -r ready <&3
test "$ready" = READY

"$client" --help | sed -n 's/^      \([a-z_]*\)$/\1/p' >"$folder/cases"
test "$(wc -l <"$folder/cases")" = 21
while read -r each; do
  case $by in
    unix) "$client" "--address=$target" "--test_case=$each" ;;
    port) "$client" --server_host=localhost "--server_port=${target##*:}" "--test_case=$each" ;;
  esac
  echo "$each ok"
done <"$folder/cases"

kill -TERM "$pid"
wait "$pid" # its exit status is ours
pid=

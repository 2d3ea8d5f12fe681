# SPDX-License-Identifier: Apache-2.0
# What ./demo and ./test share; sourced by bash in the root folder, after `set -euo pipefail`.

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# timed WORDS COMMAND…: runs the command and prints how long it took, into the file $TIMES too.
timed() {
  local words=$1 start=${EPOCHREALTIME/[.,]/} status=0 took
  shift
  "$@" || status=$?
  took=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
  printf '%s: %d.%d s\n' "$words" $((took / 10)) $((took % 10)) | tee -a "${TIMES:-/dev/null}"
  return $status
}

# Without it ccache leaves alone what is compiled with a precompiled header: all tests.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
# Where nothing is cached yet, it need not run the preprocessor as well.
export CCACHE_DEPEND=${CCACHE_DEPEND:-1}

# configure ARGUMENTS…: cmake, with ccache before the compiler if it is there.
configure() {
  if command -v ccache >/dev/null; then set -- -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"; fi
  cmake "$@"
}

mkdir -p build

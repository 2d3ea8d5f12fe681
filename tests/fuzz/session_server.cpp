// SPDX-License-Identifier: Apache-2.0
// Fuzzes a server's Session: any bytes, and an owner who does anything that it may.
#include "http2/session_exerciser.hpp"

#include <cstddef>
#include <cstdint>

/// The input: a seed of two octets for the owner, an octet that says whether the handshake is done
/// already, and the peer's bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  nearcall::test::SessionExerciser exerciser(nearcall::detail::http2::Role::server,
                                             data[0] * 256U + data[1]);
  if (data[2] % 4 != 0) exerciser.shake_hands();
  exerciser.feed({reinterpret_cast<const char*>(data) + 3, size - 3});
  exerciser.finish();
  return 0;
}

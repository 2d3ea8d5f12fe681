// SPDX-License-Identifier: Apache-2.0
// Compressing a message, if it pays.
#include "grpc/compressed_message.hpp"

#include "base/check.hpp"
#include "base/log.hpp"

#include <cstdint>
#include <exception>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// A codec may be the program's own: what it throws would leave through a connection's driver. The
/// message goes as it is then.
std::size_t try_compress(const Codec& codec, ByteSpan message, MutableByteSpan to) noexcept {
  try {
    return codec.compress(message, to);
  } catch (const std::exception& error) {
    log(LogLevel::error, "codec ", codec.name(), " threw: ", error.what());
  } catch (...) {
    log(LogLevel::error, "codec ", codec.name(), " threw something that is no std::exception");
  }
  return 0;
}

}  // namespace

CompressedMessage::CompressedMessage(const OutgoingMessage& message, const Codec& codec)
    : plain_(message.size()) {
  message.write(plain_.data());
  bytes_ = {plain_.data(), message.size()};
  const ByteSpan body = bytes_.subspan(message_prefix_size);
  if (body.size() < 2) return;
  compressed_ = HeapBlock(message.size() - 1);
  const MutableByteSpan room(compressed_.data() + message_prefix_size, body.size() - 1);
  const std::size_t size = try_compress(codec, body, room);
  CHECK(size <= room.size(), size, room.size());
  if (size == 0) return;
  write_prefix(compressed_.data(), compressed_flag, static_cast<std::uint32_t>(size));
  bytes_ = {compressed_.data(), message_prefix_size + size};
}

}  // namespace nearcall::inline v0::detail::grpc

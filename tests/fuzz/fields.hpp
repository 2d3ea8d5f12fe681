// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of header lists have in common: fields out of bytes, and memory in use.
#pragma once

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/header_view.hpp"
#include "grpc/metadata_codec.hpp"
#include "support/live_memory.hpp"

#include <nearcall/metadata.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace grpc = detail::grpc;

/// A header list. The input: for each field an octet that chooses its name from those of gRPC, or
/// says that the name follows with its length, then the value with its length.
class FuzzedFields {
 public:
  FuzzedFields(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {
    while (!rest_.empty() && fields_.size() < max_fields) {
      const auto choice = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      const std::string_view name = choice < std::size(names) ? names[choice] : take();
      fields_.push_back({name, take()});
    }
  }

  const std::vector<detail::HeaderView>& fields() const noexcept { return fields_; }
  /// As max_header_list_size counts.
  std::size_t list_size() const noexcept {
    std::size_t size = 0;
    for (const detail::HeaderView& field : fields_) {
      size += field.name.size() + field.value.size() + 32;
    }
    return size;
  }

 private:
  static constexpr std::size_t max_fields = 128;
  static constexpr std::string_view names[] = {":method",
                                               ":scheme",
                                               ":path",
                                               ":authority",
                                               ":status",
                                               "te",
                                               "content-type",
                                               "grpc-encoding",
                                               "grpc-timeout",
                                               "grpc-status",
                                               "grpc-message",
                                               "user-agent",
                                               "x-key",
                                               "x-key-bin",
                                               "host",
                                               "grpc-status-details-bin",
                                               "grpc-accept-encoding"};

  std::string_view take() noexcept {
    if (rest_.empty()) return {};
    const std::size_t size =
        std::min<std::size_t>(static_cast<std::uint8_t>(rest_.front()), rest_.size() - 1);
    const std::string_view taken = rest_.substr(1, size);
    rest_.remove_prefix(1 + size);
    return taken;
  }

  std::string_view rest_;
  std::vector<detail::HeaderView> fields_;
};

/// How much more memory is in use than when this was made.
class MemoryMeter {
 public:
  std::size_t grown() const noexcept {
    const std::size_t now = live_memory();
    return now > before_ ? now - before_ : 0;
  }

 private:
  std::size_t before_ = live_memory();
};

/// Small ones, so that the fuzzer finds their ends.
inline constexpr grpc::MetadataLimits fuzzed_limits{/*max_entries=*/20, /*max_list_size=*/2000};
/// What metadata within them takes at most: the entries' strings, and a vector that doubled.
inline constexpr std::size_t most_metadata_memory =
    2 * fuzzed_limits.max_list_size +
    2 * fuzzed_limits.max_entries * (sizeof(Metadata::Entry) + 64);

/// Keeps the limits and the rules that Metadata::add() has.
inline void check_metadata(const Metadata& metadata) {
  std::size_t size = 0;
  for (const Metadata::Entry& entry : metadata) {
    size += entry.key().size() + entry.value().size() + 32;
    Metadata again;
    CHECK(again.add(entry.key(), entry.value()).ok());
  }
  CHECK(metadata.size() <= fuzzed_limits.max_entries, metadata.size());
  CHECK(size <= fuzzed_limits.max_list_size, size);
}

}  // namespace nearcall::test

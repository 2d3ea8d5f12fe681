// SPDX-License-Identifier: Apache-2.0
// Metadata out of a header list and into one.
#include "grpc/metadata_codec.hpp"

#include "base/metadata_rules.hpp"
#include "base/quote.hpp"
#include "grpc/base64.hpp"
#include "grpc/header_name.hpp"

#include <nearcall/access.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::size_t entry_overhead = 32;  // RFC 9113 section 6.5.2

/// Without the blanks that a proxy may put around a comma when it joins values (RFC 9110 5.3).
std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Metadata under construction, held to the limits and the rules.
class Collector {
 public:
  explicit Collector(const MetadataLimits& limits) noexcept : limits_(limits) {}

  Result<void> add(const HeaderView& field) {
    if (const auto fault = detail::metadata_fault(field.name, field.value); !fault.empty()) {
      return malformed(field.name, fault);
    }
    if (!detail::is_binary_key(field.name)) return append(field.name, std::string(field.value));
    std::string_view rest = field.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      std::optional<std::string> bytes = base64_decode(trimmed(rest.substr(0, comma)));
      if (!bytes) return malformed(field.name, "value is not base64");
      if (auto appended = append(field.name, *std::move(bytes)); !appended) return appended;
      if (comma == std::string_view::npos) return {};
      rest.remove_prefix(comma + 1);
    }
  }
  Metadata take() noexcept { return std::move(metadata_); }

 private:
  static Failure<Status> malformed(std::string_view key, std::string_view fault) {
    return Failure{
        Status(StatusCode::internal, quote("metadata key", key).append(": ").append(fault))};
  }
  Result<void> append(std::string_view key, std::string value) {
    size_ += key.size() + value.size() + entry_overhead;
    if (metadata_.size() >= limits_.max_entries) {
      return too_much(limits_.max_entries, " entries (max_header_fields)");
    }
    if (size_ > limits_.max_list_size) {
      return too_much(limits_.max_list_size, " bytes (max_header_list_size)");
    }
    Access::append(metadata_, std::string(key), std::move(value));
    return {};
  }
  static Failure<Status> too_much(std::size_t most, std::string_view of_what) {
    return Failure{Status(
        StatusCode::resource_exhausted,
        std::string("the metadata is more than ").append(std::to_string(most)).append(of_what))};
  }

  const MetadataLimits& limits_;
  Metadata metadata_;
  std::size_t size_ = 0;
};

}  // namespace

Result<Metadata> parse_metadata(std::span<const HeaderView> fields, const MetadataLimits& limits) {
  Collector collector(limits);
  for (const HeaderView& field : fields) {
    if (header_name(field.name) != HeaderName::custom) continue;
    if (auto added = collector.add(field); !added) return std::move(added).error();
  }
  return collector.take();
}

std::size_t list_size(const Metadata& metadata) noexcept {
  std::size_t size = 0;
  for (const Metadata::Entry& entry : metadata)
    size += entry.key().size() + entry.value().size() + entry_overhead;
  return size;
}

bool has_metadata(std::span<const HeaderView> fields) noexcept {
  return std::ranges::any_of(fields, [](const HeaderView& field) {
    return header_name(field.name) == HeaderName::custom;
  });
}

void append_metadata(HeaderBlock& to, const Metadata& metadata) {
  for (const Metadata::Entry& entry : metadata) {
    if (!detail::is_binary_key(entry.key())) {
      to.add(entry.key(), entry.value());
      continue;
    }
    const std::size_t size = base64_encoded_size(entry.value().size());
    char* const text = to.scratch(size);
    base64_encode(as_bytes(entry.value()), text);
    to.add(entry.key(), {text, size});
  }
}

}  // namespace nearcall::inline v0::detail::grpc

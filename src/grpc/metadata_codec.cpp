// SPDX-License-Identifier: Apache-2.0
// Metadata out of a header list and into one.
#include "grpc/metadata_codec.hpp"

#include "grpc/base64.hpp"
#include "grpc/header_name.hpp"
#include "grpc/quote.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::grpc {
namespace {

bool is_binary(std::string_view key) {
  return key.ends_with("-bin");
}

/// Without the blanks that a proxy may put around a comma when it joins values (RFC 9110 5.3).
std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Appends each value of a `-bin` field; whether all of them were base64.
bool append_decoded(Metadata& metadata, const HeaderView& field) {
  std::string_view rest = field.value;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::optional<std::string> bytes = base64_decode(trimmed(rest.substr(0, comma)));
    if (!bytes) return false;
    metadata.append_unchecked(std::string(field.name), *std::move(bytes));
    if (comma == std::string_view::npos) return true;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<Metadata> parse_metadata(std::span<const HeaderView> fields) {
  Metadata metadata;
  for (const HeaderView& field : fields) {
    if (header_name(field.name) != HeaderName::custom) continue;
    if (!is_binary(field.name)) {
      metadata.append_unchecked(std::string(field.name), std::string(field.value));
    } else if (!append_decoded(metadata, field)) {
      return Status(StatusCode::internal, quote("not base64: the value of", field.name));
    }
  }
  return metadata;
}

bool has_metadata(std::span<const HeaderView> fields) noexcept {
  return std::ranges::any_of(fields, [](const HeaderView& field) {
    return header_name(field.name) == HeaderName::custom;
  });
}

void append_metadata(HeaderBlock& to, const Metadata& metadata) {
  for (const Metadata::Entry& entry : metadata) {
    if (!is_binary(entry.key())) {
      to.add(entry.key(), entry.value());
      continue;
    }
    const std::size_t size = base64_encoded_size(entry.value().size());
    char* const text = to.scratch(size);
    base64_encode(as_bytes(entry.value()), text);
    to.add(entry.key(), {text, size});
  }
}

}  // namespace nearcall::grpc

// SPDX-License-Identifier: Apache-2.0
// Metadata: what may be added, and look-ups.
#include <nearcall/metadata.hpp>

#include <algorithm>
#include <array>

namespace nearcall {
namespace {

char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// Whether `key`, lowered, is `lower`.
bool is_lowered(std::string_view key, std::string_view lower) {
  return std::ranges::equal(key, lower, {}, lowered);
}

bool is_reserved(std::string_view key) {
  static constexpr std::array<std::string_view, 11> names = {
      "te",         "content-type",   "user-agent",       "host",
      "connection", "keep-alive",     "proxy-connection", "transfer-encoding",
      "upgrade",    "content-length", "http2-settings"};
  return key.starts_with("grpc-") || std::ranges::find(names, key) != names.end();
}

Status refusal(std::string_view key, std::string_view why) {
  std::string message = "metadata key \"";
  message.append(key).append("\": ").append(why);
  return Status(StatusCode::invalid_argument, std::move(message));
}

}  // namespace

Result<void> Metadata::add(std::string_view key, std::string_view value) {
  std::string name(key);
  std::ranges::transform(name, name.begin(), lowered);
  if (name.empty()) return Failure{refusal(key, "is empty")};
  if (!std::ranges::all_of(name, is_key_character)) {
    return Failure{refusal(key, "has a character outside 0-9 a-z _ - .")};
  }
  if (is_reserved(name)) return Failure{refusal(key, "is reserved for the protocol")};
  if (!name.ends_with("-bin")) {
    const bool printable =
        std::ranges::all_of(value, [](char c) { return c >= 0x20 && c <= 0x7e; });
    if (!printable) {
      return Failure{
          refusal(key, "value is not printable ASCII (a key ending in -bin takes bytes)")};
    }
  }
  entries_.emplace_back(std::move(name), std::string(value));
  return {};
}

std::optional<std::string_view> Metadata::get(std::string_view key) const noexcept {
  const auto found =
      std::ranges::find_if(entries_, [key](const Entry& e) { return is_lowered(key, e.key()); });
  if (found == entries_.end()) return std::nullopt;
  return found->value();
}

std::vector<std::string_view> Metadata::get_all(std::string_view key) const {
  std::vector<std::string_view> values;
  for (const Entry& entry : entries_) {
    if (is_lowered(key, entry.key())) values.emplace_back(entry.value());
  }
  return values;
}

}  // namespace nearcall

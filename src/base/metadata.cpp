// SPDX-License-Identifier: Apache-2.0
// Metadata: what may be added, and look-ups.
#include "base/metadata_rules.hpp"

#include <nearcall/metadata.hpp>

#include <algorithm>

namespace nearcall::inline v0 {
namespace {

char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether `key`, lowered, is `lower`.
bool is_lowered(std::string_view key, std::string_view lower) {
  return std::ranges::equal(key, lower, {}, lowered);
}

/// Of a key or a value, in bytes: what HPACK can say, in base64 too, and more than anybody takes.
constexpr std::size_t longest_text = std::size_t{64} * 1024 * 1024;

Status refusal(std::string_view key, std::string_view why) {
  constexpr std::size_t longest_shown = 256;
  std::string message = "metadata key \"";
  message.append(key.substr(0, longest_shown)).append("\": ").append(why);
  return Status(StatusCode::invalid_argument, std::move(message)).with_reason(StatusReason::misuse);
}

}  // namespace

Result<void> Metadata::add(std::string_view key, std::string_view value) {
  if (key.size() > longest_text) return Failure{refusal(key, "is longer than 64 MiB")};
  if (value.size() > longest_text) return Failure{refusal(key, "value is longer than 64 MiB")};
  std::string name(key);
  std::ranges::transform(name, name.begin(), lowered);
  if (const std::string_view fault = detail::metadata_fault(name, value); !fault.empty()) {
    return Failure{refusal(key, fault)};
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

}  // namespace nearcall::inline v0

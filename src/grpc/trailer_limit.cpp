// SPDX-License-Identifier: Apache-2.0
// Cutting grpc-message where it may be cut, then leaving out what programs could miss.
#include "grpc/trailer_limit.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::string_view message_name = "grpc-message";
constexpr std::string_view status_name = "grpc-status";

/// Whether a byte that continues a character of UTF-8 is escaped at `at`.
bool continues_character(std::string_view escaped, std::size_t at) noexcept {
  return at + 1 < escaped.size() && escaped[at] == '%' &&
         std::string_view("89AB").find(escaped[at + 1]) != std::string_view::npos;
}

/// At most `most` bytes of an escaped text, which end neither in an escape nor in a character.
std::string_view first_of(std::string_view escaped, std::size_t most) noexcept {
  if (most >= escaped.size()) return escaped;
  for (std::size_t back = 1; back <= 2 && back <= most; ++back) {
    if (escaped[most - back] == '%') {
      most -= back;
      break;
    }
  }
  while (most >= 3 && continues_character(escaped, most)) {
    most -= 3;
  }
  return escaped.substr(0, most);
}

std::string_view message_of(const HeaderBlock& block) noexcept {
  const auto found = std::ranges::find(block.fields(), message_name, &HeaderView::name);
  return found != block.fields().end() ? found->value : std::string_view();
}

/// Cuts the message such that `note` fits behind what is left. False: that is not enough.
bool cut_message(HeaderBlock& block, std::string_view note, std::size_t most) {
  const std::string_view message = message_of(block);
  const std::size_t others = block.list_size() - message.size();
  if (others + note.size() > most) return false;
  std::string cut(first_of(message, most - others - note.size()));
  cut += note;
  block.set(message_name, block.keep(cut));
  return true;
}

bool is_needed(const HeaderView& field) noexcept {
  return field.name.starts_with(':') || field.name == "content-type" || field.name == status_name ||
         field.name == message_name;
}

bool is_message(const HeaderView& field) noexcept {
  return field.name == message_name;
}

}  // namespace

LeftOut limit_trailers(HeaderBlock& block, std::size_t most) {
  if (block.list_size() <= most) return LeftOut::nothing;
  const std::string why = "the trailers may count " + std::to_string(most) + " bytes)";
  if (!message_of(block).empty() && cut_message(block, " (cut: " + why, most)) return LeftOut::text;
  block.remove_if([](const HeaderView& field) { return !is_needed(field); });
  const auto status = std::ranges::find(block.fields(), status_name, &HeaderView::name);
  const bool has_failed = status != block.fields().end() && status->value != "0";
  if (!has_failed) return LeftOut::metadata;
  block.set(message_name, message_of(block));
  if (!cut_message(block, " (without metadata: " + why, most)) block.remove_if(is_message);
  return LeftOut::metadata;
}

}  // namespace nearcall::inline v0::detail::grpc

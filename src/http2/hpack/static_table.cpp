// SPDX-License-Identifier: Apache-2.0
// The static table's entries, and a hash of their names that is built while compiling.
#include "http2/hpack/static_table.hpp"

#include <array>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr std::array<HeaderView, static_table_size> entries = {{
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

/// Open addressing; a slot holds the index of the first entry of a name, 0 is empty. Entries of
/// the same name stand side by side.
constexpr std::size_t slot_count = 256;

/// REQUIRES: name is not empty.
constexpr std::size_t slot_of(std::string_view name) noexcept {
  const auto octet = [name](std::size_t i) { return static_cast<unsigned char>(name[i]); };
  const std::size_t last = name.size() - 1;
  std::size_t hash = name.size() * 33;
  hash += std::size_t{octet(0)} * 5 + std::size_t{octet(last)} * 37;
  hash += std::size_t{octet(name.size() / 2)} * 11;
  return hash % slot_count;
}

constexpr std::array<std::uint8_t, slot_count> make_slots() {
  std::array<std::uint8_t, slot_count> made{};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && entries[i].name == entries[i - 1].name) continue;
    std::size_t slot = slot_of(entries[i].name);
    while (made[slot] != 0) {
      slot = (slot + 1) % slot_count;
    }
    made[slot] = static_cast<std::uint8_t>(i + 1);
  }
  return made;
}

constexpr std::array<std::uint8_t, slot_count> slots = make_slots();

}  // namespace

const HeaderView& static_table_entry(std::uint32_t index) noexcept {
  return entries[index - 1];
}

TableMatch find_in_static_table(std::string_view name, std::string_view value) noexcept {
  if (name.empty()) return {};
  for (std::size_t slot = slot_of(name); slots[slot] != 0; slot = (slot + 1) % slot_count) {
    const std::uint32_t first = slots[slot];
    if (static_table_entry(first).name != name) continue;
    for (std::uint32_t index = first;
         index <= static_table_size && static_table_entry(index).name == name; ++index) {
      if (static_table_entry(index).value == value) return {index, /*is_exact=*/true};
    }
    return {first, /*is_exact=*/false};
  }
  return {};
}

}  // namespace nearcall::inline v0::detail::http2

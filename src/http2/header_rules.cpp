// SPDX-License-Identifier: Apache-2.0
// Header rules: one function for each kind of field.
#include "http2/header_rules.hpp"

#include <algorithm>
#include <optional>

namespace nearcall::inline v0::detail::http2 {
namespace {

namespace pseudo {
constexpr std::uint8_t method = 1;
constexpr std::uint8_t scheme = 2;
constexpr std::uint8_t path = 4;
constexpr std::uint8_t authority = 8;
constexpr std::uint8_t status = 16;
}  // namespace pseudo

Failure<Violation> malformed(std::string_view what) {
  return stream_error(ErrorCode::protocol_error, what);
}

/// 8.2.1: no control characters, space, upper case, colon, or bytes above ASCII.
constexpr std::array<bool, 256> name_characters = [] {
  std::array<bool, 256> allowed{};
  for (std::size_t c = 0x21; c < 0x7f; ++c) {
    allowed[c] = !(c >= 'A' && c <= 'Z') && c != ':';
  }
  return allowed;
}();

bool is_name(std::string_view name) noexcept {
  if (name.empty()) return false;
  return std::ranges::all_of(name,
                             [](char c) { return name_characters[static_cast<unsigned char>(c)]; });
}

/// 8.2.1: nothing that could end the line after a translation to HTTP/1.1.
bool is_value(std::string_view value) noexcept {
  return std::ranges::none_of(value, [](char c) { return c == '\0' || c == '\n' || c == '\r'; });
}

/// 8.2.2: fields that speak of a connection of HTTP/1.1.
bool is_connection_specific(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 5> names = {
      "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"};
  return std::ranges::find(names, name) != names.end();
}

std::optional<std::uint64_t> parse_length(std::string_view digits) noexcept {
  static constexpr std::size_t max_digits = 18;
  if (digits.empty() || digits.size() > max_digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::uint8_t request_pseudo(std::string_view name) noexcept {
  if (name == ":method") return pseudo::method;
  if (name == ":scheme") return pseudo::scheme;
  if (name == ":path") return pseudo::path;
  if (name == ":authority") return pseudo::authority;
  return 0;
}

}  // namespace

/// `known` says what the list's head comes to; null: nobody knows that yet.
Result<HeaderFacts, Violation> HeaderRules::check_rest(const HeaderList& list,
                                                       HeaderKind kind,
                                                       const Remembered* known) {
  Progress progress;
  std::size_t checked = 0;
  if (known != nullptr) {
    progress = known->progress;
    checked = list.head_count();
  }
  const bool is_news = known == nullptr && list.head_token() != 0;
  for (; checked < list.size(); ++checked) {
    if (is_news && checked == list.head_count()) remember(list, kind, progress);
    if (const Step step = add(progress, list[checked], kind); !step) return Failure{step.error()};
  }
  if (is_news && checked == list.head_count()) remember(list, kind, progress);
  if (const Step step = finish(progress, kind); !step) return Failure{step.error()};
  return progress.facts;
}

void HeaderRules::remember(const HeaderList& list, HeaderKind kind, const Progress& progress) {
  if (!memory_) memory_ = std::make_unique<std::array<Remembered, slot_count>>();
  (*memory_)[list.head_token() % slot_count] = {list.head_token(), kind,
                                                finish(progress, kind).ok(), progress};
}

HeaderRules::Step HeaderRules::add(Progress& progress, const HeaderView& field, HeaderKind kind) {
  if (!is_value(field.value)) return malformed("a header value with NUL, CR or LF");
  if (field.name.starts_with(':')) return add_pseudo(progress, field, kind);
  return add_regular(progress, field);
}

HeaderRules::Step HeaderRules::add_pseudo(Progress& progress,
                                          const HeaderView& field,
                                          HeaderKind kind) {
  if (kind == HeaderKind::trailers) return malformed("a pseudo-header field in trailers");
  if (progress.seen_regular) return malformed("a pseudo-header field behind a regular one");
  std::uint8_t bit = 0;
  if (kind == HeaderKind::request) {
    bit = request_pseudo(field.name);
  } else if (field.name == ":status") {
    bit = pseudo::status;
  }
  if (bit == 0) return malformed("an unknown pseudo-header field");
  if ((progress.pseudo & bit) != 0) return malformed("a pseudo-header field twice");
  progress.pseudo |= bit;
  if (bit == pseudo::path && field.value.empty()) return malformed("an empty :path");
  if (bit == pseudo::method) progress.is_connect = field.value == "CONNECT";
  if (bit != pseudo::status) return {};
  const std::optional<std::uint64_t> status = parse_length(field.value);
  if (field.value.size() != 3 || !status || *status < 100) return malformed("an invalid :status");
  if (*status == 101) return malformed(":status 101");  // 8.6
  progress.facts.status = static_cast<std::uint16_t>(*status);
  return {};
}

HeaderRules::Step HeaderRules::add_regular(Progress& progress, const HeaderView& field) {
  progress.seen_regular = true;
  if (!is_name(field.name)) return malformed("an invalid header name");
  if (is_connection_specific(field.name)) return malformed("a connection-specific header field");
  if (field.name == "te" && field.value != "trailers") return malformed("te is not \"trailers\"");
  if (field.name != "content-length") return {};
  const std::optional<std::uint64_t> length = parse_length(field.value);
  const bool is_other = progress.facts.content_length != HeaderFacts::no_length &&
                        progress.facts.content_length != length;
  if (!length || is_other) return malformed("an invalid content-length");
  progress.facts.content_length = *length;
  return {};
}

HeaderRules::Step HeaderRules::finish(const Progress& progress, HeaderKind kind) {
  switch (kind) {
    case HeaderKind::request: {
      constexpr std::uint8_t all = pseudo::method | pseudo::scheme | pseudo::path;
      if (progress.is_connect) {  // 8.5
        if ((progress.pseudo & all) != pseudo::method) return malformed("CONNECT with a :path");
      } else if ((progress.pseudo & all) != all) {
        return malformed("a request without :method, :scheme or :path");
      }
      return {};
    }
    case HeaderKind::response:
      if (progress.pseudo == 0) return malformed("a response without :status");
      return {};
    case HeaderKind::trailers:
      return {};
  }
  return {};
}

}  // namespace nearcall::inline v0::detail::http2

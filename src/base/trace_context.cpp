// SPDX-License-Identifier: Apache-2.0
// traceparent and tracestate by the rules of W3C Trace Context 1.
#include <nearcall/trace_context.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

namespace nearcall::inline v0 {
namespace {

// "version-trace_id-span_id-flags", each in lower-case hexadecimal (section 3.2.2).
constexpr std::size_t parent_size = 2 + 1 + 32 + 1 + 16 + 1 + 2;
constexpr std::uint64_t sampled_flag = 1;
// Section 3.3.1.
constexpr std::size_t max_members = 32;
constexpr std::size_t max_state = 512;

/// Nothing but digits, 16 at most; moves behind them, and behind a '-', which has to be there
/// unless it is the last one.
class Fields {
 public:
  explicit Fields(std::string_view text) noexcept : rest_(text) {}

  std::uint64_t take(std::size_t digits) noexcept {
    std::uint64_t value = 0;
    if (rest_.size() < digits) is_bad_ = true;
    if (is_bad_) return 0;
    for (const char digit : rest_.substr(0, digits)) {
      const bool is_number = digit >= '0' && digit <= '9';
      const bool is_letter = digit >= 'a' && digit <= 'f';
      is_bad_ |= !is_number && !is_letter;
      value = value << 4U | static_cast<std::uint64_t>(is_number ? digit - '0' : digit - 'a' + 10);
    }
    rest_.remove_prefix(digits);
    return value;
  }
  void take_dash() noexcept {
    is_bad_ |= rest_.empty() || rest_[0] != '-';
    if (!is_bad_) rest_.remove_prefix(1);
  }
  bool is_bad() const noexcept { return is_bad_; }
  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
  bool is_bad_ = false;
};

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// `name` of a key: how it may begin, and how long it may be (section 3.3.1.3.1).
bool is_key_part(std::string_view name, std::size_t most, bool may_begin_with_digit) noexcept {
  if (name.empty() || name.size() > most) return false;
  if (!is_lower(name[0]) && !(may_begin_with_digit && is_digit(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/';
  });
}

bool is_key(std::string_view key) noexcept {
  const std::size_t at = key.find('@');
  if (at == std::string_view::npos) return is_key_part(key, 256, /*may_begin_with_digit=*/false);
  return is_key_part(key.substr(0, at), 241, /*may_begin_with_digit=*/true) &&
         is_key_part(key.substr(at + 1), 14, /*may_begin_with_digit=*/false);
}

bool is_value(std::string_view value) noexcept {
  if (value.empty() || value.size() > 256 || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view without_blanks(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A list without what may be left out of it; empty if it is not right.
std::string checked_state(std::string_view list) {
  std::string state;
  std::vector<std::string_view> keys;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view member = without_blanks(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (member.empty()) continue;
    const std::size_t equals = member.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string_view key = member.substr(0, equals);
    if (!is_key(key) || !is_value(member.substr(equals + 1))) return {};
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return {};
    keys.push_back(key);
    if (!state.empty()) state += ',';
    state += member;
    if (keys.size() > max_members || state.size() > max_state) return {};
  }
  return state;
}

void append_hex(std::string& to, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4)
    to += "0123456789abcdef"[value >> static_cast<unsigned>(shift) & 0xFU];
}

/// Another one in each process, after fork() too; never 0, which is no id.
std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof id, 0) == sizeof id) continue;
    std::random_device device;
    id = std::uint64_t{device()} << 32U | device();
  }
  return id;
}

}  // namespace

std::optional<TraceContext> TraceContext::parse(std::string_view traceparent,
                                                std::string_view tracestate) {
  Fields fields(traceparent);
  const std::uint64_t version = fields.take(2);
  fields.take_dash();
  TraceContext read;
  read.trace_id_ = {fields.take(16), fields.take(16)};
  fields.take_dash();
  read.span_id_ = fields.take(16);
  fields.take_dash();
  read.is_sampled_ = (fields.take(2) & sampled_flag) != 0;
  if (fields.is_bad() || version == 0xFF) return std::nullopt;
  // A later version may have more behind that (section 4.3, "Versioning").
  const bool has_more = !fields.rest().empty();
  if (has_more && (version == 0 || fields.rest()[0] != '-')) return std::nullopt;
  if (read.span_id_ == 0 || (read.trace_id_[0] | read.trace_id_[1]) == 0) return std::nullopt;
  read.tracestate_ = checked_state(tracestate);
  return read;
}

/// Several `tracestate` are one list (RFC 9110, section 5.2).
std::optional<TraceContext> TraceContext::from(const Metadata& metadata) {
  const std::optional<std::string_view> parent = metadata.get("traceparent");
  if (!parent || metadata.get_all("traceparent").size() != 1) return std::nullopt;
  std::string state;
  for (const std::string_view part : metadata.get_all("tracestate"))
    state.append(state.empty() ? "" : ",").append(part);
  return parse(*parent, state);
}

TraceContext TraceContext::start(bool is_sampled) {
  TraceContext made;
  made.trace_id_ = {random_id(), random_id()};
  made.span_id_ = random_id();
  made.is_sampled_ = is_sampled;
  return made;
}

TraceContext TraceContext::child() const {
  TraceContext made = *this;
  made.span_id_ = random_id();
  return made;
}

std::string TraceContext::trace_id() const {
  std::string digits;
  append_hex(digits, trace_id_[0]);
  append_hex(digits, trace_id_[1]);
  return digits;
}

std::string TraceContext::span_id() const {
  std::string digits;
  append_hex(digits, span_id_);
  return digits;
}

std::string TraceContext::traceparent() const {
  std::string text = "00-";
  text.reserve(parent_size);
  text.append(trace_id()).append("-").append(span_id());
  return text.append(is_sampled_ ? "-01" : "-00");
}

}  // namespace nearcall::inline v0

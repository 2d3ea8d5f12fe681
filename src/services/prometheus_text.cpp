// SPDX-License-Identifier: Apache-2.0
// Names, labels and numbers as Prometheus reads them.
#include "services/prometheus_text.hpp"

#include <array>
#include <charconv>
#include <cstddef>

namespace nearcall::inline v0::detail {
namespace {

template <class Number>
std::string words(Number value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return std::string(digits.data(), end.ptr);
}

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80;
}

/// How many bytes the character takes that `text` begins with; 0: it is none (RFC 3629).
std::size_t character_size(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if (!is_continuation(text[i])) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const bool is_overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool is_surrogate = first == 0xED && second > 0x9F;
  const bool is_beyond = first == 0xF4 && second > 0x8F;
  return is_overlong || is_surrogate || is_beyond ? 0 : size;
}

void append_escaped(std::string& to, std::string_view value) {
  while (!value.empty()) {
    const std::size_t size = character_size(value);
    if (size == 0) {
      to += "\xEF\xBF\xBD";
      value.remove_prefix(1);
      continue;
    }
    if (value[0] == '\n') {
      to += "\\n";
    } else {
      if (value[0] == '\\' || value[0] == '"') to += '\\';
      to += value.substr(0, size);
    }
    value.remove_prefix(size);
  }
}

/// `name="value",` for each.
std::string words(PrometheusText::Labels labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (value.empty()) continue;
    text.append(name).append("=\"");
    append_escaped(text, value);
    text += "\",";
  }
  return text;
}

}  // namespace

void PrometheusText::begin(std::string_view name, Kind kind, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help);
  text_.append("\n# TYPE ").append(name);
  text_ += kind == Kind::counter ? " counter\n" : " histogram\n";
}

void PrometheusText::add_sample(std::string_view suffix,
                                const std::string& labels,
                                std::string_view value) {
  text_.append(name_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels, 0, labels.size() - 1).append("}");
  text_.append(" ").append(value).append("\n");
}

void PrometheusText::add_counter(Labels labels, std::uint64_t value) {
  add_sample("", words(labels), words(value));
}

void PrometheusText::add_histogram(Labels labels,
                                   std::span<const double> bounds,
                                   std::span<const std::uint64_t> buckets,
                                   double sum) {
  const std::string common = words(labels);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    const std::string bound = i < bounds.size() ? words(bounds[i]) : "+Inf";
    add_sample("_bucket", common + "le=\"" + bound + "\",", words(count));
  }
  add_sample("_sum", common, words(sum));
  add_sample("_count", common, words(count));
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// JSON values as a service config has them, by proto3's mapping.
#include "client/config_node.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::Value;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// All of `text`, in the classic locale.
std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

ConfigNode::ConfigNode(std::string& error, const Value* value, std::string path)
    : error_(&error), path_(std::move(path)) {
  if (value == nullptr || value->kind_case() == Value::kNullValue) return;
  value_ = value;
  if (value->kind_case() == Value::kStructValue) object_ = &value->struct_value();
}

void ConfigNode::fail(std::string_view what) const {
  if (!error_->empty()) return;
  *error_ = (path_.empty() ? std::string() : path_ + ": ").append(what);
}

ConfigNode ConfigNode::member(std::string_view name) const {
  std::string path = path_.empty() ? std::string() : path_ + ".";
  path += name;
  if (object_ == nullptr) {
    if (is_there()) fail("must be an object");
    return {*error_, nullptr, std::move(path)};
  }
  const auto found = object_->fields().find(std::string(name));
  const bool has_it = found != object_->fields().end();
  return {*error_, has_it ? &found->second : nullptr, std::move(path)};
}

std::vector<ConfigNode> ConfigNode::elements() const {
  std::vector<ConfigNode> all;
  if (!is_there()) return all;
  if (value_ == nullptr || value_->kind_case() != Value::kListValue) {
    fail("must be an array");
    return all;
  }
  for (const Value& value : value_->list_value().values()) {
    ConfigNode element(*error_, &value, path_ + "[" + std::to_string(all.size()) + "]");
    element.required();
    all.push_back(std::move(element));
  }
  return all;
}

std::vector<std::string> ConfigNode::names() const {
  std::vector<std::string> all;
  if (object_ == nullptr) {
    if (is_there()) fail("must be an object");
    return all;
  }
  for (const auto& [name, value] : object_->fields())
    all.push_back(name);
  std::ranges::sort(all);
  return all;
}

std::optional<bool> ConfigNode::boolean() const {
  if (!is_there()) return std::nullopt;
  if (value_ != nullptr && value_->kind_case() == Value::kBoolValue) return value_->bool_value();
  fail("must be true or false");
  return std::nullopt;
}

std::optional<double> ConfigNode::number() const {
  if (!is_there()) return std::nullopt;
  std::optional<double> number;
  if (value_ != nullptr && value_->kind_case() == Value::kNumberValue) {
    number = value_->number_value();
  } else if (value_ != nullptr && value_->kind_case() == Value::kStringValue) {
    number = parse_number(value_->string_value());
  }
  if (number && std::isfinite(*number)) return number;
  fail("must be a number");
  return std::nullopt;
}

std::optional<std::uint32_t> ConfigNode::whole_number() const {
  const std::optional<double> number = this->number();
  if (!number) return std::nullopt;
  constexpr double most = std::numeric_limits<std::uint32_t>::max();
  if (*number >= 0 && *number <= most && *number == std::floor(*number)) {
    return static_cast<std::uint32_t>(*number);
  }
  fail("must be a whole number from 0 to 4294967295");
  return std::nullopt;
}

std::optional<std::string> ConfigNode::text() const {
  if (!is_there()) return std::nullopt;
  if (value_ != nullptr && value_->kind_case() == Value::kStringValue) {
    return value_->string_value();
  }
  fail("must be a string");
  return std::nullopt;
}

std::optional<Duration> ConfigNode::duration() const {
  if (!is_there()) return std::nullopt;
  if (value_ != nullptr && value_->kind_case() == Value::kStringValue) {
    if (const auto duration = parse_config_duration(value_->string_value())) return duration;
  }
  fail("must be a duration that is not negative, such as \"1.5s\"");
  return std::nullopt;
}

const ConfigNode& ConfigNode::required() const {
  if (!is_there()) fail("is missing");
  return *this;
}

/// Also ".5s": so do the examples of gRFC A6.
std::optional<Duration> parse_config_duration(std::string_view text) {
  constexpr std::size_t most_digits = 12;  // 315,576,000,000 s are proto3's 10,000 years
  constexpr std::size_t fraction_digits = 9;
  constexpr std::int64_t most_seconds = 315'576'000'000;
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  const bool is_fraction = point == std::string_view::npos || !fraction.empty();
  if (!is_fraction || whole.size() + fraction.size() == 0) return std::nullopt;
  if (whole.size() > most_digits || fraction.size() > fraction_digits) return std::nullopt;
  if (!std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(fraction, is_digit)) {
    return std::nullopt;
  }
  std::int64_t seconds = 0;
  for (const char digit : whole)
    seconds = seconds * 10 + (digit - '0');
  std::int64_t nanoseconds = 0;
  for (std::size_t i = 0; i < fraction_digits; ++i)
    nanoseconds = nanoseconds * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  if (seconds > most_seconds) return std::nullopt;
  constexpr auto most = std::chrono::duration_cast<std::chrono::seconds>(Duration::max()).count();
  if (seconds >= most) return Duration::max();
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds);
}

}  // namespace nearcall::inline v0::detail

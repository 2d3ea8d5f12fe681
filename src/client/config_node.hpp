// SPDX-License-Identifier: Apache-2.0
// ConfigNode: a place in a JSON document, which knows its path when something is wrong there.
#pragma once

#include "base/clock.hpp"

#include <google/protobuf/struct.pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// A place in a JSON document, of which the reader says what it expects there. What is wrong first
/// is kept, with its path: "methodConfig[1].retryPolicy.maxAttempts: must be a number". The reader
/// goes on with nothing, and looks at the error in the end.
///
/// What JSON calls null is not there, and a number may be spelled as a string: proto3's mapping.
///
/// Thread safety: none.
class ConfigNode {
 public:
  /// A root. `error` is empty, and outlives it, as does `document`.
  ConfigNode(const google::protobuf::Struct& document, std::string& error) noexcept
      : error_(&error), object_(&document) {}

  bool is_there() const noexcept { return object_ != nullptr || value_ != nullptr; }
  /// Keeps `what` is wrong here.
  void fail(std::string_view what) const;

  // What is here. Nothing, without an error, if it is not there; with one if it is not that.

  ConfigNode member(std::string_view name) const;
  std::vector<ConfigNode> elements() const;
  /// The names of an object's members.
  std::vector<std::string> names() const;
  std::optional<bool> boolean() const;
  /// Not spelled as a string.
  bool is_number() const noexcept {
    return value_ != nullptr && value_->kind_case() == google::protobuf::Value::kNumberValue;
  }
  std::optional<double> number() const;
  /// A whole number, not negative.
  std::optional<std::uint32_t> whole_number() const;
  std::optional<std::string> text() const;
  /// "1.5s": proto3's Duration, not negative; what is more than a Duration holds is that.
  std::optional<Duration> duration() const;
  /// Fails if it is not there.
  const ConfigNode& required() const;

 private:
  ConfigNode(std::string& error, const google::protobuf::Value* value, std::string path);

  std::string* error_;
  /// Null where there is none, or another value.
  const google::protobuf::Struct* object_ = nullptr;
  const google::protobuf::Value* value_ = nullptr;
  std::string path_;
};

/// Nothing if `text` is none.
std::optional<Duration> parse_config_duration(std::string_view text);

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Messages for tests, and the bytes that carry them.
#pragma once

#include "base/bytes.hpp"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/wrappers.pb.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::test {

using Text = google::protobuf::StringValue;

inline Text text_of(std::string value) {
  Text text;
  text.set_value(std::move(value));
  return text;
}

/// A message of `size` bytes whose fields nobody knows, in two bytes each: what takes most to parse
/// and to keep.
inline std::string small_fields(std::size_t size) {
  std::string fields;
  while (fields.size() < size)
    fields.append("\x7a\x00", 2);
  return fields;
}
inline Text text_with_small_fields(std::size_t size) {
  Text text;
  static_cast<void>(text.ParseFromString(small_fields(size)));
  return text;
}

/// A message with its prefix, as it goes into a DATA frame.
inline std::string framed(std::string_view bytes, char flag = 0) {
  std::string framed(5, flag);
  detail::store_be32(reinterpret_cast<std::byte*>(framed.data()) + 1,
                     static_cast<std::uint32_t>(bytes.size()));
  return framed.append(bytes);
}
inline std::string framed(const google::protobuf::MessageLite& message) {
  return framed(message.SerializeAsString());
}

}  // namespace nearcall::test

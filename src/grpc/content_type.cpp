// SPDX-License-Identifier: Apache-2.0
// The content-type of gRPC.
#include "grpc/content_type.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail::grpc {
namespace {

/// Media types ignore case (RFC 9110 8.3.1). REQUIRES: `expected` is in lower case.
bool equals_ignoring_case(std::string_view text, std::string_view expected) {
  return std::ranges::equal(text, expected, [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
  });
}

}  // namespace

std::optional<std::string_view> content_subtype(std::string_view value) noexcept {
  const std::string_view type = value.substr(0, grpc_content_type.size());
  if (type != grpc_content_type && !equals_ignoring_case(type, grpc_content_type))
    return std::nullopt;
  std::string_view rest = value.substr(type.size());
  rest = rest.substr(0, rest.find_first_of("; \t"));
  if (rest.empty()) return rest;
  if (rest.front() != '+') return std::nullopt;
  return rest.substr(1);
}

}  // namespace nearcall::inline v0::detail::grpc

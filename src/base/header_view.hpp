// SPDX-License-Identifier: Apache-2.0
// HeaderView: one header field, seen where it lies.
#pragma once

#include <string_view>

namespace nearcall::inline v0::detail {

/// One header field of a request, a response or trailers. Owns nothing: both views live as long as
/// the storage that they came from. Names are in lower case, as HTTP/2 requires (9113 8.2.1).
struct HeaderView {
  std::string_view name;
  std::string_view value;

  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What CHECK and the preconditions of public types do when they fail.
#include "base/check.hpp"

#include <nearcall/result.hpp>

#include <cstdio>
#include <cstdlib>

namespace nearcall::inline v0::detail {

void check_failed(const char* file,
                  int line,
                  const char* condition,
                  const std::string& operands) noexcept {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed%s%s\n", file, line, condition,
               operands.empty() ? "" : ": ", operands.c_str());
  std::abort();
}

void fail_precondition(const char* what) noexcept {
  std::fprintf(stderr, "nearcall: precondition failed: %s\n", what);
  std::abort();
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Whether the system refused something because it, or the process, has no more of it.
#pragma once

#include <cerrno>

namespace nearcall::inline v0::detail {

/// Whether errno `number` says that descriptors or memory are short: later there may be some.
constexpr bool is_shortage(int number) noexcept {
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS ||
         number == ENOSPC;
}

}  // namespace nearcall::inline v0::detail

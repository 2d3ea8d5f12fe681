// SPDX-License-Identifier: Apache-2.0
// Whether others may write to a directory, and so take the names in it.
#pragma once

#include <sys/types.h>

#include <string>

struct stat;

namespace nearcall::inline v0::detail {

/// Why others than root, this process's user and `trusted` may write to a directory: "mode 1777",
/// "it belongs to uid 1000"; empty if they may not. (The mode has what its access list grants.)
std::string why_others_may_write(const struct stat& directory, uid_t trusted);

/// The directory of the name that a path ends with: "." of "x.sock".
std::string directory_of(const std::string& path);

}  // namespace nearcall::inline v0::detail

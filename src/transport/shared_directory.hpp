// SPDX-License-Identifier: Apache-2.0
// Whether others may write to directories, and so take the names in them.
#pragma once

#include <sys/types.h>

#include <string>

struct stat;

namespace nearcall::inline v0::detail {

/// Why others than root, this process's user and `trusted` may write to a directory: "mode 1777",
/// "it belongs to uid 1000"; empty if they may not. (The mode has what its access list grants.)
std::string why_others_may_write(const struct stat& directory, uid_t trusted);

/// Why others than root, this process's user and `trusted` may have chosen where `path` leads:
/// "others may write to the directory /tmp (mode 1777)"; empty if they may not. Looks at each
/// directory from "/" on and behind each symbolic link, as connect(2) goes. What lies in one that
/// others may write to has to be root's or this user's, and the directory sticky: so nobody else
/// made it, or may rename it. `trusted` may have his own directories, where others cannot make
/// them.
std::string why_others_may_choose(const std::string& path, uid_t trusted);

/// The directory of the name that a path ends with: "." of "x.sock".
std::string directory_of(const std::string& path);

}  // namespace nearcall::inline v0::detail

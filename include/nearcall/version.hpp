// SPDX-License-Identifier: Apache-2.0
// The version of the library that the program was compiled against.
#pragma once

namespace nearcall {

inline constexpr int version_major = 0;
inline constexpr int version_minor = 1;
inline constexpr int version_patch = 0;
inline constexpr const char* version_string = "0.1.0";

}  // namespace nearcall

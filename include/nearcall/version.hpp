// SPDX-License-Identifier: Apache-2.0
// The version of the library that the program was compiled against; every header includes it.
#pragma once

#if __cplusplus < 202002L
// A page of what follows from it would come after an #error; after this nothing does.
#include <nearcall needs C++20: -std=c++20, or target_compile_features(TARGET PUBLIC cxx_std_20)>
#endif

namespace nearcall::inline v0 {

inline constexpr int version_major = 0;
inline constexpr int version_minor = 2;
inline constexpr int version_patch = 0;
inline constexpr const char* version_string = "0.2.0";

}  // namespace nearcall::inline v0

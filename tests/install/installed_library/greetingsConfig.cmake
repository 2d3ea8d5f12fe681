# SPDX-License-Identifier: Apache-2.0
# What find_package(greetings) gives: the library greetings.
include(CMakeFindDependencyMacro)
find_dependency(nearcall)
include("${CMAKE_CURRENT_LIST_DIR}/greetingsTargets.cmake")

# SPDX-License-Identifier: Apache-2.0
# cmake --install: the library, its headers, the plugin and the package that find_package() finds.
include(CMakePackageConfigHelpers)

option(NEARCALL_INSTALL "Install the library and its CMake package" ${nearcall_is_top_level})
if(NOT NEARCALL_INSTALL)
  return()
endif()
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/nearcall")

set(installed nearcall ${nearcall_services})
if(TARGET protoc-gen-nearcall)
  list(APPEND installed protoc-gen-nearcall)
endif()
install(TARGETS ${installed} EXPORT nearcallTargets)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp" PATTERN "testing" EXCLUDE)
install(FILES "${PROJECT_BINARY_DIR}/src/services/error_details/google/rpc/error_details.pb.h"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/nearcall_protos/google/rpc")
# find_package(nearcall COMPONENTS testing transport_contract): the latter alone needs GoogleTest.
if(TARGET nearcall_testing)
  install(TARGETS nearcall_testing EXPORT nearcallTestingTargets)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/nearcall/testing"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/nearcall" FILES_MATCHING PATTERN "*.hpp")
  install(EXPORT nearcallTestingTargets NAMESPACE nearcall:: DESTINATION "${package_dir}")
endif()
if(TARGET nearcall_transport_contract)
  install(TARGETS nearcall_transport_contract EXPORT nearcallTransportContractTargets)
  install(EXPORT nearcallTransportContractTargets NAMESPACE nearcall:: DESTINATION "${package_dir}")
endif()
install(EXPORT nearcallTargets NAMESPACE nearcall:: DESTINATION "${package_dir}")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/nearcallConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/cmake/nearcallConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users; afterwards a major one.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/cmake/nearcallConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/cmake/nearcallConfig.cmake"
  "${PROJECT_BINARY_DIR}/cmake/nearcallConfigVersion.cmake"
  DESTINATION "${package_dir}")
install(FILES
  "${PROJECT_SOURCE_DIR}/cmake/nearcall_add_proto.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/nearcall_escape_depfile.cmake"
  DESTINATION "${package_dir}")

file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/nearcall.pc.in" "${PROJECT_BINARY_DIR}/cmake/nearcall.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/nearcall.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# SPDX-License-Identifier: Apache-2.0
# How our own targets are compiled: standard, warnings, sanitizers; one function a layer, one a test.

add_library(nearcall_compile INTERFACE)
target_compile_features(nearcall_compile INTERFACE cxx_std_20)
target_compile_options(nearcall_compile INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:NEARCALL_TEST>>>:-Wshadow> $<$<BOOL:${NEARCALL_WERROR}>:-Werror>
  "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")  # CHECK names src/…, wherever it was built
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(nearcall_compile INTERFACE -Wno-restrict)  # wrong about "text" + string (GCC 105329)
endif()
if(NEARCALL_SANITIZE)
  target_compile_options(nearcall_compile INTERFACE
    -fsanitize=${NEARCALL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -fno-sanitize=vptr  # opens a pipe to look at memory, and is wrong where a test has no descriptor left
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>
    $<$<BOOL:$<TARGET_PROPERTY:NEARCALL_TEST>>:-fno-sanitize=null,alignment,object-size>)
  target_link_options(nearcall_compile INTERFACE -fsanitize=${NEARCALL_SANITIZE})
endif()

# A program leaves out what it does not use of the library, which without this is whole layers: each is
# one unit. What is sanitized or debugged is built faster without.
set(nearcall_sections "")
if(NOT NEARCALL_SANITIZE)
  set(nearcall_sections $<$<NOT:$<CONFIG:Debug>>:-ffunction-sections>
    $<$<NOT:$<CONFIG:Debug>>:-fdata-sections>)
endif()

# nearcall_layer(NAME SOURCES …): one folder of src/ as an object library. What it may include is
# checked by tests/checks/layers. As one unit (NEARCALL_UNITY) its functions are inlined into each
# other; for that g++ must also be told that nobody replaces them in a shared library. Such a library
# exports what the public headers declare.
function(nearcall_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(nearcall_${name} OBJECT ${arg_SOURCES})
  set_target_properties(nearcall_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    UNITY_BUILD ${NEARCALL_UNITY} UNITY_BUILD_BATCH_SIZE 0)
  target_compile_options(nearcall_${name} PRIVATE -fno-semantic-interposition
    ${nearcall_sections})
  target_include_directories(nearcall_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(nearcall_${name} PRIVATE $<BUILD_INTERFACE:nearcall_compile>)
  # g++ sees null pointers only when it optimizes; sanitizers mislead it, and so do functions inlined
  # from other files and the containers that tests build in place.
  if(NOT NEARCALL_SANITIZE AND NOT NEARCALL_UNITY)
    target_compile_options(nearcall_${name} PRIVATE
      $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wnull-dereference>)
  endif()
  set_property(GLOBAL APPEND PROPERTY nearcall_layers nearcall_${name})
endfunction()

# nearcall_test_flags(TARGET): how tests, and what they share, are compiled.
#
# What costs time in a test is the compiler's way through GoogleTest, protobuf and our own headers: so
# eight files share it (sixteen with sanitizers, which make it longer, and where nobody waits for one file
# that he changed), and what is measured or sanitized is the library, not the test: no optimization,
# no line numbers beside those that GoogleTest knows, where sanitizers make the code large, and no check of
# each pointer, which is a third of the time. (The others stay: the linker may take a test's copy of an
# inline function.)
function(nearcall_test_flags target)
  set(together 8)
  if(NEARCALL_SANITIZE)
    set(together 16)
  endif()
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF
    UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${together}
    NEARCALL_TEST ON)  # a local name may be another file's global: no -Wshadow
  target_compile_options(${target} PRIVATE -O0)
  if(NEARCALL_SANITIZE)
    target_compile_options(${target} PRIVATE -g0)
  endif()
endfunction()

# nearcall_test(NAME SOURCES … [LIBRARIES …] [ALONE]): one GoogleTest binary; each test is a ctest test (with
# sanitizers each suite), whose name starts with NEARCALL_TEST_PREFIX (./test tells its builds apart by it).
function(nearcall_test name)
  cmake_parse_arguments(arg "ALONE" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  nearcall_test_flags(${name})
  target_precompile_headers(${name} REUSE_FROM nearcall_test_support)
  target_include_directories(${name} PRIVATE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
  if(NEARCALL_SANITIZE MATCHES "undefined")
    target_link_options(${name} PRIVATE -no-pie)  # UBSan's tables: half a million addresses, each to be moved
  endif()
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} nearcall_compile GTest::gmock GTest::gtest_main)
  set_property(GLOBAL APPEND PROPERTY NEARCALL_TEST_PROGRAMS $<TARGET_FILE:${name}>)
  if(NEARCALL_SANITIZE)
    nearcall_discover_suites(${name})
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${NEARCALL_TEST_PREFIX}"
      PROPERTIES RUN_SERIAL ${arg_ALONE})
  endif()
endfunction()

# nearcall_discover_suites(NAME): each suite of a GoogleTest binary is a ctest test. That a sanitizer
# starts and ends takes longer than most tests do.
function(nearcall_discover_suites name)
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake")
  file(GENERATE OUTPUT "${script}" CONTENT
"set(PROGRAM [==[$<TARGET_FILE:${name}>]==])
set(PREFIX [==[${NEARCALL_TEST_PREFIX}]==])
include([==[${PROJECT_SOURCE_DIR}/cmake/nearcall_test_suites.cmake]==])
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()

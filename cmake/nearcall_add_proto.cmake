# SPDX-License-Identifier: Apache-2.0
# nearcall_add_proto(): from .proto files to a library with their messages, clients and services.
cmake_policy(PUSH)
cmake_policy(VERSION 3.22)

# nearcall_add_proto(TARGET
#   PROTOS greet.proto …            relative to the current source directory, or absolute
#   [SERVICES both]                 both | client | server | none (messages only)
#   [ARENAS]                        handlers of unary calls get both messages on the call's arena, and
#                                   clients can take replies into messages of the caller's
#   [IMPORT_DIRS protos …]          where files and their imports are looked for, before the current
#                                   source directory: `protos/a/b.proto` is imported as "a/b.proto"
#                                   and included as "a/b.nearcall.hpp"
#   [OUT_DIR dir])                  where the code is written; a directory of the target by default
#
# Makes the library TARGET; code that links it may include what was generated. If the files of one
# target import those of another, say target_link_libraries(TARGET PUBLIC OTHER) too.
#
# To install TARGET, install(TARGETS …) and the headers of OUT_DIR, into CMAKE_INSTALL_INCLUDEDIR
# ("include"): docs/guides/install.md.
#
# To use another plugin than nearcall::protoc-gen-nearcall (when cross-compiling, say) set
# NEARCALL_PROTOC_GEN to its path.
function(nearcall_add_proto target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ARENAS" "SERVICES;OUT_DIR" "PROTOS;IMPORT_DIRS")
  _nearcall_check_proto_arguments()
  _nearcall_find_protoc()

  if(NOT arg_OUT_DIR)
    set(arg_OUT_DIR "nearcall_protos/${target}")
  endif()
  get_filename_component(out "${arg_OUT_DIR}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  file(MAKE_DIRECTORY "${out}")
  _nearcall_import_dirs(import_dirs ${arg_IMPORT_DIRS})
  # Its dependency files have no way to write such characters; those of compilers suffer as well.
  if("${CMAKE_GENERATOR};${out};${import_dirs}" MATCHES "Ninja.*['&\"<>|*?^`]")
    message(WARNING "nearcall_add_proto(${target}): Ninja cannot keep track of files in a folder "
      "whose name has one of ' & \" < > | * ? ^ `, and makes everything there again in each build. "
      "Rename the folder, or use -G \"Unix Makefiles\". It is one of: ${out};${import_dirs}")
  endif()

  set(generated "")
  foreach(proto IN LISTS arg_PROTOS)
    _nearcall_generate(sources "${proto}")
    list(APPEND generated ${sources})
  endforeach()

  add_library(${target} ${generated})
  # Where headers of an installed TARGET are looked for: where install() puts them by itself.
  set(include_dir include)
  if(CMAKE_INSTALL_INCLUDEDIR)
    set(include_dir "${CMAKE_INSTALL_INCLUDEDIR}")
  endif()
  target_include_directories(${target} SYSTEM PUBLIC
    "$<BUILD_INTERFACE:${out}>" "$<INSTALL_INTERFACE:${include_dir}>")
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
  if(NOT arg_SERVICES STREQUAL "none")
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_link_libraries(${target} PUBLIC nearcall::nearcall)
  endif()
  # Generated code is nobody's to repair: no warnings, no linters. Messages of protobuf cannot be
  # compiled as one unit. A shared library of generated code exports all of it.
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    UNITY_BUILD OFF
    CXX_VISIBILITY_PRESET default
    VISIBILITY_INLINES_HIDDEN OFF
    CXX_CLANG_TIDY "" CXX_CPPCHECK "" CXX_CPPLINT "" CXX_INCLUDE_WHAT_YOU_USE "")
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    # A server leaves out the clients, and with them the library's code for them.
    target_compile_options(${target} PRIVATE -w -ffunction-sections)
  endif()
endfunction()

# Stops with an error that says what is allowed. Reads and completes the arg_… of its caller.
macro(_nearcall_check_proto_arguments)
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "nearcall_add_proto(${target}): what is \"${arg_UNPARSED_ARGUMENTS}\"? "
      "It takes PROTOS, SERVICES, ARENAS, IMPORT_DIRS and OUT_DIR.")
  endif()
  if(NOT arg_PROTOS)
    message(FATAL_ERROR "nearcall_add_proto(${target}): PROTOS is missing")
  endif()
  if(NOT arg_SERVICES)
    set(arg_SERVICES both)
  endif()
  if(NOT arg_SERVICES MATCHES "^(both|client|server|none)$")
    message(FATAL_ERROR "nearcall_add_proto(${target}): SERVICES ${arg_SERVICES} is none of "
      "both, client, server, none")
  endif()
endmacro()

# protoc, libprotobuf and the plugin, as seen from the directory of the caller: imported targets of
# other directories may be invisible here.
macro(_nearcall_find_protoc)
  if(NOT TARGET protobuf::libprotobuf OR NOT TARGET protobuf::protoc)
    find_package(Protobuf REQUIRED)
  endif()
  set(plugin "$<TARGET_FILE:nearcall::protoc-gen-nearcall>")
  set(plugin_dependency nearcall::protoc-gen-nearcall)
  if(NEARCALL_PROTOC_GEN)
    set(plugin "${NEARCALL_PROTOC_GEN}")
    set(plugin_dependency "${NEARCALL_PROTOC_GEN}")
  endif()
endmacro()

# RESULT: the directories of a --proto_path each; those of protobuf itself come last.
function(_nearcall_import_dirs result)
  set(dirs "")
  foreach(dir IN LISTS ARGN ITEMS "${CMAKE_CURRENT_SOURCE_DIR}")
    get_filename_component(dir "${dir}" ABSOLUTE)
    list(APPEND dirs "${dir}")
  endforeach()
  get_target_property(protobuf_dirs protobuf::libprotobuf INTERFACE_INCLUDE_DIRECTORIES)
  foreach(dir IN LISTS protobuf_dirs)
    if(EXISTS "${dir}/google/protobuf/descriptor.proto")
      list(APPEND dirs "${dir}")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES dirs)
  set(${result} ${dirs} PARENT_SCOPE)
endfunction()

# RESULT: the name by which PROTO is imported: its path from the first directory that it is in.
function(_nearcall_import_name result proto)
  foreach(dir IN LISTS import_dirs)
    file(RELATIVE_PATH name "${dir}" "${proto}")
    if(NOT name MATCHES "^\\.\\./" AND NOT IS_ABSOLUTE "${name}")
      set(${result} "${name}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "nearcall_add_proto(${target}): ${proto} is in none of the IMPORT_DIRS "
    "(${import_dirs})")
endfunction()

# RESULT: the sources that a rule, added here, makes of PROTO. Reads the variables of its caller.
function(_nearcall_generate result proto)
  get_filename_component(proto "${proto}" ABSOLUTE)
  get_source_file_property(is_generated "${proto}" GENERATED)
  if(NOT EXISTS "${proto}" AND NOT is_generated)
    message(FATAL_ERROR "nearcall_add_proto(${target}): no such file: ${proto}")
  endif()
  _nearcall_import_name(name "${proto}")
  string(REGEX REPLACE "\\.(proto|protodevel)$" "" stem "${name}")

  # In the order of the dependency file, which is the alphabet's: ninja expects its first output
  # there, and else runs the rule each time.
  set(sources "${out}/${stem}.pb.cc" "${out}/${stem}.pb.h")
  set(options --cpp_out=${out})
  set(dependencies "${proto}" protobuf::protoc)
  if(NOT arg_SERVICES STREQUAL "none")
    list(PREPEND sources "${out}/${stem}.nearcall.cpp" "${out}/${stem}.nearcall.hpp")
    list(APPEND options --plugin=protoc-gen-nearcall=${plugin} --nearcall_out=${out}
      --nearcall_opt=services=${arg_SERVICES})
    if(arg_ARENAS)
      list(APPEND options --nearcall_opt=arenas=true)
    endif()
    list(APPEND dependencies ${plugin_dependency})
  endif()
  list(TRANSFORM import_dirs PREPEND --proto_path= OUTPUT_VARIABLE paths)
  add_custom_command(
    OUTPUT ${sources}
    COMMAND protobuf::protoc ${paths} ${options} "--dependency_out=${out}/${stem}.d" "${proto}"
    COMMAND "${CMAKE_COMMAND}" "-DDEPFILE=${out}/${stem}.d"
      -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/nearcall_escape_depfile.cmake"
    DEPENDS ${dependencies}
    DEPFILE "${out}/${stem}.d"
    COMMENT "Generating code of ${name}"
    VERBATIM)
  set(${result} ${sources} PARENT_SCOPE)
endfunction()

cmake_policy(POP)

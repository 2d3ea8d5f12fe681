# SPDX-License-Identifier: Apache-2.0
# Configures a project for Ninja in a folder whose name Ninja cannot write into dependency files.
#   cmake -DWORK=… -DADD_PROTO=…/nearcall_add_proto.cmake -DCXX=… -P odd_path.cmake
set(source "${WORK}/it's a project")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${source}")
file(WRITE "${source}/greet.proto" "syntax = \"proto3\";\nmessage Greeting {}\n")
file(WRITE "${source}/CMakeLists.txt" "
cmake_minimum_required(VERSION 3.22)
project(odd CXX)
find_package(Protobuf REQUIRED)
include(\"${ADD_PROTO}\")
nearcall_add_proto(greet SERVICES none PROTOS greet.proto)
")
execute_process(
  COMMAND "${CMAKE_COMMAND}" -G Ninja "-DCMAKE_CXX_COMPILER=${CXX}" -S "${source}" -B "${source}/build"
  RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
string(REGEX REPLACE "[ \n]+" " " text "${text}")
if(failed OR NOT text MATCHES "Ninja cannot keep track of files in a folder whose name has one of ' &")
  message(FATAL_ERROR "no warning in: ${text}")
endif()

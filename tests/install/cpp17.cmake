# SPDX-License-Identifier: Apache-2.0
# Each public header tells a C++17 program what it needs, and stops there.
#   cmake -DCOMPILER=… -DINCLUDE=… -P cpp17.cmake
file(GLOB headers RELATIVE "${INCLUDE}" "${INCLUDE}/nearcall/*.hpp")
if(NOT headers)
  message(FATAL_ERROR "no headers in ${INCLUDE}")
endif()
foreach(header IN LISTS headers)
  execute_process(
    COMMAND "${COMPILER}" -std=c++17 -fsyntax-only -I "${INCLUDE}" -x c++ "${INCLUDE}/${header}"
    RESULT_VARIABLE failed ERROR_VARIABLE text)
  string(REGEX MATCHALL "error:" errors "${text}")
  list(LENGTH errors count)
  if(NOT failed OR NOT text MATCHES "nearcall needs C\\+\\+20" OR NOT count EQUAL 1)
    message(FATAL_ERROR "${header}: ${count} errors:\n${text}")
  endif()
endforeach()

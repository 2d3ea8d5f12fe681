# SPDX-License-Identifier: Apache-2.0
# A shared library exports what the public headers declare, and nothing of the layers below; its SONAME
# has the version's first two numbers.
#   cmake -DNM=nm -DLIBRARY=libnearcall.so -P exports.cmake
execute_process(COMMAND "${NM}" -DC --defined-only "${LIBRARY}"
  RESULT_VARIABLE failed OUTPUT_VARIABLE symbols)
if(failed)
  message(FATAL_ERROR "${NM} ${LIBRARY} failed: ${failed}")
endif()
foreach(public Server::start Channel::Channel detail::as_error to_string set_log_handler)
  if(NOT symbols MATCHES " nearcall::v0::${public}")
    message(FATAL_ERROR "${LIBRARY} does not export ${public}")
  endif()
endforeach()
if(symbols MATCHES " nearcall::v0::detail::check_failed")
  message(FATAL_ERROR "${LIBRARY} exports what is private: ${CMAKE_MATCH_0}")
endif()

# What lies in namespace detail is exported only for code that stands in the public headers: the members
# of classes whose bodies are there. Folders of the engine (detail::http2) have none.
file(GLOB headers "${CMAKE_CURRENT_LIST_DIR}/../../include/nearcall/*.hpp")
set(public "")
foreach(header IN LISTS headers)
  file(READ "${header}" text)
  string(APPEND public "${text}")
endforeach()
set(member " (vtable for |typeinfo for |typeinfo name for )?nearcall::v0::detail::[A-Za-z0-9_]+(<|::|\n)")
string(REGEX MATCHALL "[0-9a-f] [A-Za-z]${member}" members "${symbols}")
list(TRANSFORM members REPLACE ".*::detail::([A-Za-z0-9_]+).*" "\\1")
list(REMOVE_DUPLICATES members)
set(private "")
foreach(name IN LISTS members)
  if(NOT public MATCHES "(class|struct) (\\[\\[[a-z]+\\]\\] )?${name}( final)?( :[^;{]*)? {")
    list(APPEND private "${name}")
  endif()
endforeach()
if(private)
  message(FATAL_ERROR "${LIBRARY} exports members of what has no body in include/: ${private}")
endif()

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../../include/nearcall/version.hpp" version REGEX "version_string")
string(REGEX MATCH "[0-9]+\\.[0-9]+" version "${version}")
find_program(READELF readelf REQUIRED)
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C "${READELF}" -d "${LIBRARY}" OUTPUT_VARIABLE dynamic)
string(FIND "${dynamic}" "soname: [libnearcall.so.${version}]" found)
if(found EQUAL -1)
  message(FATAL_ERROR "${LIBRARY} has not the SONAME libnearcall.so.${version}: ${dynamic}")
endif()

# SPDX-License-Identifier: Apache-2.0
# Runs the plugin on protos/ and compares with expected/SERVICES, or rewrites that.
#   cmake -DPROTOC=… -DPLUGIN=… -DWORK=… -DSERVICES=both -DPROTOS=a.proto,b.proto [-DUPDATE=ON] -P …
string(REPLACE "," ";" PROTOS "${PROTOS}")
set(OPTIONS "services=${SERVICES}")
if(SERVICES STREQUAL "arenas")
  set(OPTIONS "arenas=true")
endif()
set(expected "${CMAKE_CURRENT_LIST_DIR}/expected/${SERVICES}")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
execute_process(
  COMMAND "${PROTOC}" "--proto_path=${CMAKE_CURRENT_LIST_DIR}/protos"
    "--plugin=protoc-gen-nearcall=${PLUGIN}" "--nearcall_out=${WORK}"
    "--nearcall_opt=${OPTIONS}" ${PROTOS}
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "protoc failed: ${failed}")
endif()

if(UPDATE)
  file(REMOVE_RECURSE "${expected}")
  file(COPY "${WORK}/" DESTINATION "${expected}")
  return()
endif()

file(GLOB_RECURSE made RELATIVE "${WORK}" "${WORK}/*")
file(GLOB_RECURSE wanted RELATIVE "${expected}" "${expected}/*")
set(differences "")
foreach(file IN LISTS made wanted)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E compare_files "${expected}/${file}" "${WORK}/${file}"
    RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
  if(differs)
    list(APPEND differences "${file}")
  endif()
endforeach()
list(REMOVE_DUPLICATES differences)
foreach(file IN LISTS differences)
  execute_process(COMMAND diff -u "${expected}/${file}" "${WORK}/${file}")
endforeach()
if(differences)
  message(FATAL_ERROR "The plugin writes other code than expected: ${differences}\n"
    "If that is meant, rewrite it: cmake --build . --target update-golden")
endif()

# SPDX-License-Identifier: Apache-2.0
# Configures, builds and runs one consumer in a fresh folder.
#   cmake -DCONSUMER=find_package -DWORK=… -DGENERATOR=Ninja -DARGUMENTS=-DX=1,-DY=2 [-DIMPORTED=…]
#     [-DAPP=…] [-DAGAIN=…] -P consume.cmake
# IMPORTED names a .proto of the consumer that greet.proto imports: once it has changed, the code of
# greet.proto is made again, and only then. APP names a folder of the consumer: a project of its own,
# which has the program and uses the consumer as it is installed. AGAIN names an option with which all
# is configured, built and run once more: what it changes nothing about is not compiled again.
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/program" "${CMAKE_CURRENT_LIST_DIR}/${CONSUMER}"
  DESTINATION "${WORK}")
string(REPLACE "," ";" ARGUMENTS "${ARGUMENTS}")
set(build "${WORK}/build")

# run(WHAT COMMAND…): stops if the command fails; its output goes to `output`.
function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
  message("${text}")
  if(failed)
    message(FATAL_ERROR "${CONSUMER}: ${what} failed: ${failed}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()

function(configure_and_build source build)
  run("configuring" "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${source}" -B "${build}" ${ARGUMENTS})
  run("building" "${CMAKE_COMMAND}" --build "${build}" --parallel 2)
endfunction()

configure_and_build("${WORK}/${CONSUMER}" "${build}")
set(program "${build}/program")
if(APP)
  run("installing" "${CMAKE_COMMAND}" --install "${build}" --prefix "${WORK}/prefix")
  file(REMOVE_RECURSE "${build}")  # so that nothing is taken from there
  list(APPEND ARGUMENTS "-Dgreetings_ROOT=${WORK}/prefix")
  configure_and_build("${WORK}/${CONSUMER}/${APP}" "${WORK}/app")
  set(program "${WORK}/app/program")
endif()
run("the program" "${program}")

if(AGAIN)
  list(APPEND ARGUMENTS "-D${AGAIN}=ON")
  configure_and_build("${WORK}/${CONSUMER}" "${build}")
  run("the program with ${AGAIN}" "${program}")
endif()

if(IMPORTED)
  run("building again" "${CMAKE_COMMAND}" --build "${build}" --parallel 2)
  if(output MATCHES "Generating")
    message(FATAL_ERROR "${CONSUMER}: code was made again though nothing had changed")
  endif()
  file(APPEND "${WORK}/${CONSUMER}/${IMPORTED}" "message Added {}\n")
  run("building after a change" "${CMAKE_COMMAND}" --build "${build}" --parallel 2)
  if(NOT output MATCHES "Generating code of greet.proto")
    message(FATAL_ERROR "${CONSUMER}: greet.proto's code was not made again, though what it "
      "imports has changed")
  endif()
endif()

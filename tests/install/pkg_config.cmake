# SPDX-License-Identifier: Apache-2.0
# Builds and runs the consumer pkg_config, which knows the installation by its nearcall.pc.
#   cmake -DWORK=… -DMAKE=make -DCXX=g++ -DBIN=prefix/bin -DLIB=prefix/lib -P pkg_config.cmake
file(REMOVE_RECURSE "${WORK}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/pkg_config/Makefile"
  "${CMAKE_CURRENT_LIST_DIR}/fetch_content/greet.proto" DESTINATION "${WORK}")
set(ENV{PATH} "${BIN}:$ENV{PATH}")  # protoc finds its plugin there
set(ENV{PKG_CONFIG_PATH} "${LIB}/pkgconfig")
set(ENV{LD_LIBRARY_PATH} "${LIB}")
foreach(command "${MAKE};-j2;CXX=${CXX};VPATH=${CMAKE_CURRENT_LIST_DIR}/program" "./program")
  execute_process(COMMAND ${command} WORKING_DIRECTORY "${WORK}" RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${command} failed: ${failed}")
  endif()
endforeach()

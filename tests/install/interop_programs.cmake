# SPDX-License-Identifier: Apache-2.0
# The installed interop programs talk to each other, and say what they do not understand.
#   cmake -DBIN=prefix/bin -P interop_programs.cmake
set(server "${BIN}/nearcall_interop_server")
set(client "${BIN}/nearcall_interop_client")

# says(EXPECTED STATUS COMMAND…): stops unless the command ends with STATUS and its output matches.
function(says expected status)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text
    TIMEOUT 60)
  message("${ARGN}\n${text}")
  if(NOT result EQUAL status OR NOT text MATCHES "${expected}")
    message(FATAL_ERROR "expected exit code ${status} and \"${expected}\", got ${result}")
  endif()
endfunction()

says("usage: nearcall_interop_server" 0 "${server}" --help)
says("cancel_after_first_response" 0 "${client}" --help)
says("unknown argument --adress=" 2 "${server}" --adress=unix:x)
says("--address or --port is missing" 2 "${server}")
says("--address needs a value" 2 "${server}" --address)
says("--use_tls" 2 "${server}" --port=0 --use_tls=true)
says("no test case large_unery" 2 "${client}" --server_port=1 --test_case=large_unery)
says("--test_case is missing" 2 "${client}" --address=unix:x)
says("UNAVAILABLE" 1 "${client}" --address=unix:${BIN}/nobody --test_case=empty_unary)

# Both ways to name the server.
find_program(SHELL sh REQUIRED)
foreach(by unix port)
  says("cancel_after_first_response ok" 0
    "${SHELL}" "${CMAKE_CURRENT_LIST_DIR}/interop_pair.sh" "${server}" "${client}" ${by})
endforeach()

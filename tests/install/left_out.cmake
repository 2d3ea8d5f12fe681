# SPDX-License-Identifier: Apache-2.0
# A program has in it what it uses of the library, and of the code of its .proto: a server has no
# client's code, a client no server's.
#   cmake -DNM=nm -DSERVER=greeter_server -DCLIENT=greeter_client -P left_out.cmake
function(check program uses leaves_out)
  execute_process(COMMAND "${NM}" -C --defined-only "${program}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE symbols)
  if(failed)
    message(FATAL_ERROR "${NM} ${program} failed: ${failed}")
  endif()
  if(NOT symbols MATCHES " nearcall::v0::${uses}::")
    message(FATAL_ERROR "${program} has no ${uses}: what is left out cannot be seen in it")
  endif()
  if(symbols MATCHES " nearcall::v0::${leaves_out}::[^\n]*")
    message(FATAL_ERROR "${program} does not use ${CMAKE_MATCH_0}, and has it")
  endif()
endfunction()

check("${SERVER}" detail::ServerConnection detail::Backend)
check("${CLIENT}" detail::Backend detail::ServerConnection)

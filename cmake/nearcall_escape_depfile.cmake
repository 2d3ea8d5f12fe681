# SPDX-License-Identifier: Apache-2.0
# Escapes the paths in a dependency file of protoc, which protoc leaves as they are.
#   cmake -DDEPFILE=greet.d -P nearcall_escape_depfile.cmake
file(READ "${DEPFILE}" text)

# What stands between two paths, as protoc writes it, goes out of the way first.
string(ASCII 1 after_output)
string(ASCII 2 after_dependency)
string(ASCII 3 after_outputs)
string(REPLACE " \\\n" "${after_output}" text "${text}")
string(REPLACE "\\\n " "${after_dependency}" text "${text}")
string(REPLACE ": " "${after_outputs}" text "${text}")

string(REPLACE " " "\\ " text "${text}")
string(REPLACE "#" "\\#" text "${text}")

string(REPLACE "${after_output}" " \\\n" text "${text}")
string(REPLACE "${after_dependency}" " \\\n " text "${text}")
string(REPLACE "${after_outputs}" ": " text "${text}")
file(WRITE "${DEPFILE}" "${text}\n")

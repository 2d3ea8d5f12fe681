// SPDX-License-Identifier: Apache-2.0
// What each example does when it was started wrongly, and when something fails.
#pragma once

#include <nearcall/status.hpp>

#include <cstdio>

/// Says how `program` is started; what main() returns then.
inline int usage(const char* program, const char* arguments = "unix:PATH") {
  std::fprintf(stderr, "usage: %s %s\n", program, arguments);
  return 2;
}

/// What whoever runs the program can do about a failure; empty where only the message helps.
inline const char* what_to_do(nearcall::StatusReason reason) {
  using nearcall::StatusReason;
  switch (reason) {
    case StatusReason::bad_target:
      return "give a target such as unix:greeter.sock";
    case StatusReason::no_server:
      return "start the server first";
    case StatusReason::no_permission:
      return "join the group that may open the socket, or change its mode";
    case StatusReason::refused:
      return "run this as a user whom the server admits";
    case StatusReason::wrong_server:
      return "say which user serves there (ChannelOptions::expect_server()), if it is no stranger";
    case StatusReason::not_grpc:
      return "find out which program made the socket";
    case StatusReason::server_stopping:
    case StatusReason::connection_lost:
    case StatusReason::no_answer:
      return "see whether the server is well, and try again";
    case StatusReason::system_limit:
      return "let the program have more descriptors (ulimit -n) or memory";
    case StatusReason::limit:
      return "raise the limit, or ask for less";
    case StatusReason::address_in_use:
      return "stop the other server, or give another target";
    case StatusReason::misuse:
      return "mend the program";
    case StatusReason::none:
      break;
  }
  return "";
}

/// Says what failed, and what to do; what main() returns then.
inline int report(const nearcall::Status& status) {
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  const char* const advice = what_to_do(status.reason());
  if (*advice != '\0') std::fprintf(stderr, "%s\n", advice);
  return 1;
}

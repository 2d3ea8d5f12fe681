// SPDX-License-Identifier: Apache-2.0
// ServerTest: a service and a place to listen; the test makes its servers.
#pragma once

#include "server/wrapper_service.hpp"

#include <nearcall/channel.hpp>

#include <sys/stat.h>

#include <string>

namespace nearcall::test {

inline bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

inline Result<Text> echo_over(const std::string& target) {
  Channel channel(target);
  const ClientStub client(channel, WrapperService::methods);
  return client.unary<Text>(WrapperService::echo, text_of("hello"), CallOptions());
}

class ServerTest : public LogCheckedTest {
 protected:
  std::string target(const std::string& name = "s") const { return "unix:" + folder_.file(name); }

  TempDir folder_;
  WrapperService service_;
};

}  // namespace nearcall::test

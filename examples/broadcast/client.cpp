// SPDX-License-Identifier: Apache-2.0
// A program that watches a feed until that stops: program unix:PATH [drop|end].
#include "feed.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>

#include <cstdio>
#include <string>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view when_slow = argc == 3 ? argv[2] : "drop";
  if (argc < 2 || argc > 3 || (when_slow != "drop" && when_slow != "end"))
    return usage(argv[0], "unix:PATH [drop|end]");
  nearcall::Channel channel(argv[1]);
  feed::Feed::Client client(channel);
  feed::WatchRequest request;
  request.set_when_slow(when_slow == "end" ? feed::END : feed::DROP_OLDEST);

  auto watch = client.Watch(request);
  feed::Event event;
  while (watch.read(event)) {
    if (event.has_line()) {
      std::printf("%s\n", event.line().text().c_str());
    } else {
      std::printf("%s lines are missing\n", std::to_string(event.dropped()).c_str());
    }
    std::fflush(stdout);
  }
  const nearcall::Status status = watch.finish();
  return status.ok() ? 0 : report(status);
}

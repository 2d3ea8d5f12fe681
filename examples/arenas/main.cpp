// SPDX-License-Identifier: Apache-2.0
// Messages on arenas: at the server on the call's own, at the client on one of the caller's.
#include "program.hpp"
#include "stock.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <google/protobuf/arena.h>

#include <cstdio>

using namespace std::chrono_literals;
using google::protobuf::Arena;
using nearcall::CallOptions;

class StockService final : public stock::Stock::Service {
  Task<Status> List(ServerContext&,
                    const stock::ListRequest& request,
                    stock::ItemList& reply) override {
    for (std::uint32_t i = 1; i <= request.count(); ++i) {
      stock::Item& item = *reply.add_items();
      item.set_number(i);
      item.set_name("item " + std::to_string(i));
    }
    co_return Status();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  StockService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  const nearcall::Channel channel(argv[1]);
  const stock::Stock::Client stock(channel);
  stock::ListRequest request;
  request.set_count(3);
  Arena arena;
  auto* const list = Arena::CreateMessage<stock::ItemList>(&arena);
  const nearcall::Status status = stock.List(request, *list, CallOptions().timeout(1s));
  if (!status.ok()) return report(status);
  for (const stock::Item& item : list->items())
    std::printf("%s\n", item.name().c_str());
  return 0;
}

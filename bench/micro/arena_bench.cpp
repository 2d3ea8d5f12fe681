// SPDX-License-Identifier: Apache-2.0
// What arenas save of a whole call whose messages have many messages in them: without a kernel,
// both ends on one thread.
#include "base/check.hpp"
#include "table.nearcall.hpp"
#include "table_on_arena.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>

#include <benchmark/benchmark.h>
#include <google/protobuf/arena.h>

#include <cstdint>
#include <string>

namespace nearcall::bench {
namespace {

using ::bench::Table;
using google::protobuf::Arena;

constexpr const char* address = "inproc:tables";
constexpr int cells_of_row = 8;

Table table_of(std::int64_t rows) {
  Table table;
  for (std::int64_t i = 0; i < rows; ++i) {
    ::bench::Row& row = *table.add_rows();
    row.set_id(static_cast<std::uint64_t>(i));
    row.set_name("a name that is no short string");
    for (int k = 0; k < cells_of_row; ++k) {
      ::bench::Cell& cell = *row.add_cells();
      cell.set_column("column");
      cell.set_value(k);
    }
  }
  return table;
}

void build(const Table& from, Table& to) {
  for (const ::bench::Row& row : from.rows()) {
    ::bench::Row& made = *to.add_rows();
    made.set_id(row.id());
    made.set_name(row.name());
    for (const ::bench::Cell& cell : row.cells()) {
      ::bench::Cell& next = *made.add_cells();
      next.set_column(cell.column());
      next.set_value(cell.value());
    }
  }
}

class Values final : public ::bench::Tables::Service {
 public:
  static Task<void> call(const Channel& channel, benchmark::State& state) {
    const ::bench::Tables::Client client(channel);
    const Table request = table_of(state.range(0));
    for ([[maybe_unused]] auto round : state) {
      auto call = client.CopyAsync(request);
      const Result<Table> reply = co_await call;
      CHECK(reply.ok() && reply->rows_size() == request.rows_size());
    }
  }

 private:
  Task<Result<Table>> Copy(ServerContext&, Table request) override {
    Table reply;
    build(request, reply);
    co_return reply;
  }
};

class OnArena final : public ::bench::TablesOnArena::Service {
 public:
  static Task<void> call(const Channel& channel, benchmark::State& state) {
    const ::bench::TablesOnArena::Client client(channel);
    const Table request = table_of(state.range(0));
    Arena arena;
    for ([[maybe_unused]] auto round : state) {
      auto* const reply = Arena::CreateMessage<Table>(&arena);
      {
        auto call = client.CopyAsync(request, *reply);
        const Status status = co_await call;
        CHECK(status.ok() && reply->rows_size() == request.rows_size());
      }
      arena.Reset();
    }
  }

 private:
  Task<Status> Copy(ServerContext&, const Table& request, Table& reply) override {
    build(request, reply);
    co_return Status();
  }
};

Task<void> stop_after(EventLoop& loop, Task<void> task) {
  co_await std::move(task);
  loop.stop();
}

template <class Tables>
void tables(benchmark::State& state) {
  EventLoop loop;
  Tables service;
  Server server(loop);
  server.add_service(service).listen(address);
  CHECK(server.start());
  const Channel channel(address);
  static_cast<void>(spawn(loop, stop_after(loop, Tables::call(channel, state))));
  loop.run();
}

void tables_as_values(benchmark::State& state) {
  tables<Values>(state);
}
void tables_on_arenas(benchmark::State& state) {
  tables<OnArena>(state);
}
BENCHMARK(tables_as_values)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(tables_on_arenas)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace nearcall::bench

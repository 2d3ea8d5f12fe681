// SPDX-License-Identifier: Apache-2.0
// Cap'n Proto RPC as a client in the comparison. Its promises belong to one thread.
#include "common/client_main.hpp"
#include "echo.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <string.h>

#include <memory>

namespace {

using bench::Clock;
using bench::Meter;
using bench::Options;
using bench::capnproto::Echo;
using bench::capnproto::Sink;

/// One connection and the service at its other end.
struct Peer {
  Peer(kj::AsyncIoContext& io, const Options& options)
      : stream(io.provider->getNetwork()
                   .parseAddress(options.address.c_str())
                   .wait(io.waitScope)
                   ->connect()
                   .wait(io.waitScope)),
        client(*stream),
        echo(client.bootstrap().castAs<Echo>()) {}
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyClient client;
  Echo::Client echo;
};

auto request_of(Echo::Client& echo, std::size_t size) {
  auto request = echo.unaryRequest(capnp::MessageSize{size / 8 + 16, 0});
  memset(request.initPayload(static_cast<unsigned>(size)).begin(), 'x', size);
  return request;
}

void check_size(std::size_t got, std::size_t wanted) {
  bench::require(got == wanted, "the reply has another size");
}

void call_once(Peer& peer, kj::WaitScope& scope, std::size_t size) {
  auto reply = request_of(peer.echo, size).send().wait(scope);
  check_size(reply.getPayload().size(), size);
}

void unary(const Options& options) {
  if (options.threads != 1) exit(bench::exit_no_such_case);
  auto io = kj::setupAsyncIo();
  Peer peer(io, options);
  bench::measure_blocking(options, [&] { call_once(peer, io.waitScope, options.size); });
}

void once(const Options& options) {
  auto io = kj::setupAsyncIo();
  Peer peer(io, options);
  call_once(peer, io.waitScope, options.size);
}

void hold(const Options& options) {
  auto io = kj::setupAsyncIo();
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    peers.push_back(std::make_unique<Peer>(io, options));
    call_once(*peers.back(), io.waitScope, options.size);
  }
  bench::hold_until_told();
}

/// One call after the other, over the connections `next`, `next` + inflight, …
kj::Promise<void> call_again_and_again(const std::vector<std::unique_ptr<Peer>>& peers,
                                       std::size_t next,
                                       Meter& meter,
                                       const Options& options) {
  const Clock::time_point started = Clock::now();
  Peer& peer = *peers[next];
  return request_of(peer.echo, options.size)
      .send()
      .then([&peers, next, &meter, &options, started](auto reply) -> kj::Promise<void> {
        check_size(reply.getPayload().size(), options.size);
        if (!meter.call_done(started, Clock::now())) return kj::READY_NOW;
        const std::size_t following = next + options.inflight;
        return call_again_and_again(
            peers, following < peers.size() ? following : next % options.inflight % peers.size(),
            meter, options);
      });
}

void pipelined(const Options& options) {
  auto io = kj::setupAsyncIo();
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    peers.push_back(std::make_unique<Peer>(io, options));
    if (options.calls == 0) call_once(*peers.back(), io.waitScope, 0);
  }
  Meter meter(options);
  kj::Vector<kj::Promise<void>> callers;
  for (std::size_t i = 0; i < options.inflight; ++i) {
    callers.add(call_again_and_again(peers, i % peers.size(), meter, options));
  }
  kj::joinPromises(callers.releaseAsArray()).wait(io.waitScope);
  meter.print();
}

/// Counts what the server pushes, and tells when that is enough.
class Counter final : public Sink::Server {
 public:
  Counter(Meter& meter, kj::Own<kj::PromiseFulfiller<void>> enough)
      : meter_(meter), enough_(kj::mv(enough)) {}

 private:
  kj::Promise<void> push(PushContext) override {
    if (++seen_ % 64 == 0 && !meter_.messages_done(64)) enough_->fulfill();
    return kj::READY_NOW;
  }
  kj::Promise<void> done(DoneContext) override { return kj::READY_NOW; }

  Meter& meter_;
  kj::Own<kj::PromiseFulfiller<void>> enough_;
  std::uint64_t seen_ = 0;
};

void expand(const Options& options) {
  auto io = kj::setupAsyncIo();
  Peer peer(io, options);
  Meter meter(options);
  while (!meter.is_over()) {
    auto request = peer.echo.expandRequest();
    request.setMessages(options.messages);
    request.setSize(static_cast<std::uint32_t>(options.size));
    auto enough = kj::newPromiseAndFulfiller<void>();
    request.setSink(kj::heap<Counter>(meter, kj::mv(enough.fulfiller)));
    request.send().ignoreResult().exclusiveJoin(kj::mv(enough.promise)).wait(io.waitScope);
  }
  meter.print();
}

void collect(const Options& options) {
  auto io = kj::setupAsyncIo();
  Peer peer(io, options);
  Meter meter(options);
  while (!meter.is_over()) {
    auto collecting = peer.echo.collectRequest().send().wait(io.waitScope);
    Sink::Client sink = collecting.getSink();
    for (std::uint64_t i = 1; i <= options.messages && !meter.is_over(); ++i) {
      auto request = sink.pushRequest();
      memset(request.initPayload(static_cast<unsigned>(options.size)).begin(), 'x', options.size);
      request.send().wait(io.waitScope);
      if (i % 64 == 0) meter.messages_done(64);
    }
    sink.doneRequest().send().ignoreResult().wait(io.waitScope);
  }
  meter.print();
}

}  // namespace

int main(int argc, char** argv) {
  return bench::client_main(argc, argv,
                            {{"unary", unary},
                             {"once", once},
                             {"pipelined", pipelined},
                             {"expand", expand},
                             {"collect", collect},
                             {"hold", hold}});
}

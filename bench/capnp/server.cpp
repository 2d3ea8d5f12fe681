// SPDX-License-Identifier: Apache-2.0
// Cap'n Proto RPC as a server in the comparison.
#include "common/options.hpp"
#include "echo.capnp.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <signal.h>
#include <string.h>

namespace {

using bench::capnproto::Echo;
using bench::capnproto::Sink;

class Collector final : public Sink::Server {
  kj::Promise<void> push(PushContext) override { return kj::READY_NOW; }
  kj::Promise<void> done(DoneContext) override { return kj::READY_NOW; }
};

class EchoServer final : public Echo::Server {
  kj::Promise<void> unary(UnaryContext context) override {
    const capnp::Data::Reader payload = context.getParams().getPayload();
    context.getResults(capnp::MessageSize{payload.size() / 8 + 16, 0}).setPayload(payload);
    return kj::READY_NOW;
  }
  kj::Promise<void> expand(ExpandContext context) override {
    auto parameters = context.getParams();
    Sink::Client sink = parameters.getSink();
    const std::uint64_t messages = parameters.getMessages();
    const std::uint32_t size = parameters.getSize();
    context.releaseParams();
    return push(sink, messages, size).then([sink]() mutable {
      return sink.doneRequest().send().ignoreResult();
    });
  }
  kj::Promise<void> collect(CollectContext context) override {
    context.getResults().setSink(kj::heap<Collector>());
    return kj::READY_NOW;
  }

  static kj::Promise<void> push(Sink::Client sink, std::uint64_t left, std::uint32_t size) {
    if (left == 0) return kj::READY_NOW;
    auto request = sink.pushRequest();
    memset(request.initPayload(size).begin(), 'x', size);
    return request.send().then([sink, left, size]() mutable { return push(sink, left - 1, size); });
  }
};

}  // namespace

int main(int argc, char** argv) {
  bench::raise_descriptor_limit();
  const bench::Options options = bench::parse_options(argc, argv);
  kj::UnixEventPort::captureSignal(SIGTERM);
  auto io = kj::setupAsyncIo();
  capnp::TwoPartyServer server(kj::heap<EchoServer>());
  auto address = io.provider->getNetwork().parseAddress(options.address.c_str()).wait(io.waitScope);
  auto listener = address->listen();
  auto serving = server.listen(*listener);
  bench::say_ready();
  io.unixEventPort.onSignal(SIGTERM)
      .ignoreResult()
      .exclusiveJoin(kj::mv(serving))
      .wait(io.waitScope);
  return 0;
}

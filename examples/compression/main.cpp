// SPDX-License-Identifier: Apache-2.0
// What is compressed, and with what: of a channel, a call, a message, a server, a handler.
#include "greet.nearcall.hpp"
#include "program.hpp"
#include "zstd_codec.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>
#include <string>

using nearcall::CallOptions;
using nearcall::Channel;
using nearcall::ChannelOptions;
using nearcall::Codec;
using nearcall::ServerOptions;

static const ZstdCodec zstd;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    call.set_compression(Codec::identity());  // whatever the server is told
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }

  Task<Status> Chat(ServerContext& /*call*/,
                    ServerReader<greet::HelloRequest>& requests,
                    ServerWriter<greet::HelloReply>& replies) override {
    greet::HelloRequest request;
    greet::HelloReply reply;
    while (co_await requests.read(request)) {
      reply.set_message(request.name());
      if (!co_await replies.write(reply)) break;
    }
    co_return Status();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server(ServerOptions().compression(zstd).compression_threshold(4096));
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  Channel channel(argv[1], ChannelOptions().compression(Codec::gzip()).codec(zstd));
  greet::Greeter::Client greeter(channel);
  greet::HelloRequest request;
  request.set_name(std::string(100'000, 'a'));
  const auto by_gzip = greeter.SayHello(request);
  if (!by_gzip) return report(by_gzip.error());
  std::printf("gzip: %zu bytes\n", by_gzip->message().size());

  auto chat = greeter.Chat(CallOptions().compression(zstd));
  chat.write(request);
  chat.write(request, nearcall::no_compression);
  chat.writes_done();
  while (const auto reply = chat.read())
    std::printf("zstd: %zu bytes\n", reply->message().size());
  const nearcall::Status status = chat.finish();
  server.stop();
  server.wait();
  return status.ok() ? 0 : report(status);
}

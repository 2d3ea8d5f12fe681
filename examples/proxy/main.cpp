// SPDX-License-Identifier: Apache-2.0
// A proxy: takes calls of any method on one target, and makes them at another one, message for
// message, knowing none of their types.
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/generic_service.hpp>
#include <nearcall/generic_stub.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task_scope.hpp>

#include <cstdio>
#include <string_view>

using nearcall::CallOptions;
using nearcall::Metadata;

class Proxy final : public nearcall::GenericService {
 public:
  explicit Proxy(const nearcall::Channel& channel) : stub_(channel) {}

 private:
  using Call = nearcall::AsyncBidiStreamingCall<GenericMessage, GenericMessage>;

  static bool is_of_the_hop(std::string_view key) {
    return key == "traceparent" || key == "tracestate" || key == "grpc-previous-rpc-attempts";
  }

  // The call there is of the same method, and has the deadline and the metadata of the call here;
  // it is cancelled with it. Its end is the end of both.
  Task<Status> serve(ServerContext& call, Reader& requests, Writer& replies) override {
    CallOptions options(call);  // with the trace that the call is in
    for (const Metadata::Entry& entry : call.metadata()) {
      if (!is_of_the_hop(entry.key())) options.metadata(entry.key(), entry.value());
    }
    Call forwarded = stub_.bidi_streaming_async(call.method(), options);

    nearcall::TaskScope scope;
    scope.spawn(send_requests(requests, forwarded));
    co_await send_replies(call, forwarded, replies);
    Status status = co_await forwarded.finish();
    scope.cancel();  // the requests that the server did not wait for
    if (status.ok()) {
      for (const Metadata::Entry& entry : forwarded.trailers())
        call.add_trailer(entry.key(), entry.value());
    }
    co_return status;  // with its details, and the trailers of a failure
  }

  // One message at a time, each way: who is slow at one end slows down the other end.

  static Task<void> send_requests(Reader& requests, Call& forwarded) {
    GenericMessage message;
    while (co_await requests.read(message)) {
      if (!co_await forwarded.write(message)) co_return;
    }
    forwarded.writes_done();
  }

  static Task<void> send_replies(ServerContext& call, Call& forwarded, Writer& replies) {
    const Metadata& headers = co_await forwarded.headers();
    for (const Metadata::Entry& entry : headers)
      call.add_header(entry.key(), entry.value());
    if (!forwarded.is_done()) call.send_headers();
    GenericMessage message;
    while (co_await forwarded.read(message)) {
      if (!co_await replies.write(message)) co_return;
    }
  }

  nearcall::GenericStub stub_;
};

int main(int argc, char** argv) {
  if (argc != 3) return usage(argv[0], "unix:PATH SERVER-TARGET");
  const nearcall::Channel channel(argv[2]);
  Proxy proxy(channel);
  nearcall::Server server;
  server.add_service(proxy);
  const auto listening = server.try_listen(argv[1]);
  if (!listening) return report(listening.error());
  for (const std::string& address : server.addresses()) {
    std::printf("listening on %s\n", address.c_str());
    std::fflush(stdout);
  }
  return server.run();
}

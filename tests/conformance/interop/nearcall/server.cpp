// SPDX-License-Identifier: Apache-2.0
// The server of the gRPC interop contract: nearcall_interop_server --address=unix:PATH.
#include "flags.hpp"
#include "grpc/testing/test.nearcall.hpp"
#include "watched_gzip.hpp"

#include <nearcall/health.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/rich_status.hpp>
#include <nearcall/server.hpp>

#include <google/rpc/error_details.pb.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace pb = grpc::testing;

namespace {

void fill(pb::Payload& payload, int size) {
  payload.set_body(std::string(size > 0 ? static_cast<std::size_t>(size) : 0, '\0'));
}

void echo_metadata(nearcall::ServerContext& call) {
  for (const std::string_view value : call.metadata().get_all(interop::initial_key)) {
    call.add_header(interop::initial_key, value);
  }
  for (const std::string_view value : call.metadata().get_all(interop::trailing_key)) {
    call.add_trailer(interop::trailing_key, value);
  }
}

nearcall::Status status_of(const pb::EchoStatus& wanted) {
  if (wanted.code() == 0) return nearcall::Status();
  const auto code = static_cast<nearcall::StatusCode>(wanted.code());
  if (wanted.message() == interop::rich_message) {
    google::rpc::ErrorInfo info;
    info.set_reason(interop::rich_reason);
    return nearcall::RichStatus(code, wanted.message()).add(info).to_status();
  }
  return nearcall::Status(code, wanted.message());
}

/// What a request says that was not compressed, or was, and should not be.
template <class Request>
nearcall::Status check_compression(const Request& request) {
  const bool was_compressed = interop::watched_gzip.was_used();
  if (!request.has_expect_compressed() || request.expect_compressed().value() == was_compressed)
    return nearcall::Status();
  return nearcall::Status::invalid_argument(was_compressed ? "the request was compressed"
                                                           : "the request was not compressed");
}

class TestService final : public pb::TestService::Service {
  Task<Result<pb::Empty>> EmptyCall(ServerContext&, pb::Empty) override { co_return pb::Empty(); }

  Task<Result<pb::SimpleResponse>> UnaryCall(ServerContext& call,
                                             pb::SimpleRequest request) override {
    echo_metadata(call);
    if (Status status = check_compression(request); !status.ok()) co_return status;
    if (Status status = status_of(request.response_status()); !status.ok()) co_return status;
    if (request.response_compressed().value()) call.set_compression(interop::watched_gzip);
    pb::SimpleResponse response;
    fill(*response.mutable_payload(), request.response_size());
    co_return response;
  }

  Task<Result<pb::StreamingInputCallResponse>> StreamingInputCall(
      ServerContext&, ServerReader<pb::StreamingInputCallRequest>& requests) override {
    std::size_t total = 0;
    pb::StreamingInputCallRequest request;
    while (co_await requests.read(request)) {
      if (Status status = check_compression(request); !status.ok()) co_return status;
      total += request.payload().body().size();
    }
    pb::StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<std::int32_t>(total));
    co_return response;
  }

  Task<Status> StreamingOutputCall(
      ServerContext& call,
      pb::StreamingOutputCallRequest request,
      ServerWriter<pb::StreamingOutputCallResponse>& replies) override {
    echo_metadata(call);
    Status status = co_await answer(call, request, replies);
    co_return status;
  }

  Task<Status> FullDuplexCall(ServerContext& call,
                              ServerReader<pb::StreamingOutputCallRequest>& requests,
                              ServerWriter<pb::StreamingOutputCallResponse>& replies) override {
    echo_metadata(call);
    pb::StreamingOutputCallRequest request;
    while (co_await requests.read(request)) {
      Status status = co_await answer(call, request, replies);
      if (!status.ok()) co_return status;
    }
    co_return Status();
  }

  static Task<Status> answer(ServerContext& call,
                             const pb::StreamingOutputCallRequest& request,
                             ServerWriter<pb::StreamingOutputCallResponse>& replies) {
    pb::StreamingOutputCallResponse response;
    const auto is_compressed = [](const auto& wanted) { return wanted.compressed().value(); };
    if (std::ranges::any_of(request.response_parameters(), is_compressed))
      call.set_compression(interop::watched_gzip);
    for (const pb::ResponseParameters& wanted : request.response_parameters()) {
      if (wanted.interval_us() > 0) {
        co_await nearcall::sleep_for(std::chrono::microseconds(wanted.interval_us()),
                                     call.cancellation());
      }
      fill(*response.mutable_payload(), wanted.size());
      const bool is_plain = wanted.has_compressed() && !wanted.compressed().value();
      bool is_taken = false;
      if (is_plain) {
        is_taken = co_await replies.write(response, nearcall::no_compression);
      } else {
        is_taken = co_await replies.write(response);
      }
      if (!is_taken) break;
    }
    co_return status_of(request.response_status());
  }
};

constexpr const char* usage =
    "usage: nearcall_interop_server --address=TARGET | --port=PORT [--use_tls=false]\n"
    "\n"
    "Serves grpc.testing.TestService as gRPC's interop tests want it, with health and reflection,\n"
    "until SIGINT or SIGTERM.\n"
    "Prints READY on a line of its own once it listens.\n"
    "\n"
    "  --address=TARGET  unix:PATH, npipe:NAME, unix-abstract:NAME, ipv4:ADDRESS:PORT or\n"
    "                    ipv6:[ADDRESS]:PORT; the first two admit their own user and root, the\n"
    "                    others anyone\n"
    "  --port=PORT       the same as --address=ipv4:127.0.0.1:PORT; 0: any\n"
    "  --use_tls=false   is accepted; there is no TLS\n";

int fail(const std::string& why) {
  std::fprintf(stderr, "nearcall_interop_server: %s; --help says more\n", why.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const interop::Flags flags(argc, argv, {"address", "port", "use_tls", "help"});
  if (flags.wants_help()) return std::fputs(usage, stdout) < 0 ? 1 : 0;
  if (!flags.error().empty()) return fail(flags.error());
  std::optional<std::string> address = flags.get("address");
  if (!address && flags.get("port")) address = "ipv4:127.0.0.1:" + *flags.get("port");
  if (!address) return fail("--address or --port is missing");

  TestService service;
  nearcall::Health health;
  nearcall::Server server(nearcall::ServerOptions()
                              .drain_timeout(std::chrono::seconds(1))
                              .codec(interop::watched_gzip)
                              .compression_threshold(0));
  server.add_service(service).add_service(health);
  nearcall::add_reflection(server);
  nearcall::ListenOptions options;
  if (!address->starts_with("unix:") && !address->starts_with("npipe:"))
    options.policy(nearcall::untrusted::anyone());
  if (nearcall::Result<void> listening = server.try_listen(*address, options); !listening) {
    return fail(listening.error().message());
  }
  std::printf("listening on %s\nREADY\n", server.addresses().front().c_str());
  std::fflush(stdout);
  return server.run();
}

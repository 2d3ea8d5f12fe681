// SPDX-License-Identifier: Apache-2.0
// The client of the gRPC interop contract:
// nearcall_interop_client --address=unix:PATH --test_case=NAME.
#include "flags.hpp"
#include "grpc/testing/test.nearcall.hpp"
#include "watched_gzip.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/health.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/rich_status.hpp>

#include <google/rpc/error_details.pb.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace pb = grpc::testing;
using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Metadata;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

namespace {

/// What differed; empty where nothing did.
using Difference = std::string;
using Client = pb::TestService::Client;

constexpr int large_request = 271828;
constexpr int large_response = 314159;
constexpr std::array<int, 4> request_sizes = {27182, 8, 1828, 45904};
constexpr std::array<int, 4> response_sizes = {31415, 9, 2653, 58979};

CallOptions in_time() {
  return CallOptions().timeout(15s);
}

std::string zeros(int size) {
  return std::string(static_cast<std::size_t>(size), '\0');
}

pb::SimpleRequest large() {
  pb::SimpleRequest request;
  request.set_response_size(large_response);
  request.mutable_payload()->set_body(zeros(large_request));
  return request;
}

pb::StreamingOutputCallRequest ping(int response_size, int request_size) {
  pb::StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_size);
  request.mutable_payload()->set_body(zeros(request_size));
  return request;
}

Difference expect_ok(const Status& status) {
  return status.ok() ? "" : "expected OK, got " + status.to_string();
}

Difference expect_status(const Status& status, StatusCode code, const std::string& message) {
  if (status.code() == code && status.message() == message) return "";
  return "expected " + std::string(to_string(code)) + ": " + message + ", got " +
         status.to_string();
}

Difference expect_code(const Status& status, StatusCode code) {
  if (status.code() == code) return "";
  return "expected " + std::string(to_string(code)) + ", got " + status.to_string();
}

Difference expect_body(const std::string& body, int size) {
  if (body == zeros(size)) return "";
  return "expected " + std::to_string(size) + " zero bytes, got " + std::to_string(body.size()) +
         " bytes";
}

Difference empty_unary(Client& client) {
  const Result<pb::Empty> reply = client.EmptyCall(pb::Empty(), in_time());
  return expect_ok(reply.status());
}

Difference large_unary(Client& client) {
  const Result<pb::SimpleResponse> reply = client.UnaryCall(large(), in_time());
  if (!reply) return expect_ok(reply.status());
  return expect_body(reply->payload().body(), large_response);
}

Difference client_streaming(Client& client) {
  auto call = client.StreamingInputCall(in_time());
  for (const int size : request_sizes) {
    pb::StreamingInputCallRequest request;
    request.mutable_payload()->set_body(zeros(size));
    if (!call.write(request)) return "a write was refused: " + call.finish().status().to_string();
  }
  const Result<pb::StreamingInputCallResponse> reply = call.finish();
  if (!reply) return expect_ok(reply.status());
  const int total = reply->aggregated_payload_size();
  return total == 74922 ? "" : "expected a total of 74922, got " + std::to_string(total);
}

Difference server_streaming(Client& client) {
  pb::StreamingOutputCallRequest request;
  for (const int size : response_sizes)
    request.add_response_parameters()->set_size(size);
  auto call = client.StreamingOutputCall(request, in_time());
  for (const int size : response_sizes) {
    const std::optional<pb::StreamingOutputCallResponse> reply = call.read();
    if (!reply) return "too few replies: " + call.finish().to_string();
    if (Difference body = expect_body(reply->payload().body(), size); !body.empty()) return body;
  }
  if (call.read()) return "too many replies";
  return expect_ok(call.finish());
}

Difference ping_pong(Client& client) {
  auto call = client.FullDuplexCall(in_time());
  for (std::size_t i = 0; i < request_sizes.size(); ++i) {
    if (!call.write(ping(response_sizes[i], request_sizes[i]))) return "a write was refused";
    const std::optional<pb::StreamingOutputCallResponse> reply = call.read();
    if (!reply) return "no reply: " + call.finish().to_string();
    if (Difference body = expect_body(reply->payload().body(), response_sizes[i]); !body.empty()) {
      return body;
    }
  }
  call.writes_done();
  if (call.read()) return "a reply after the last one";
  return expect_ok(call.finish());
}

Difference empty_stream(Client& client) {
  auto call = client.FullDuplexCall(in_time());
  call.writes_done();
  if (call.read()) return "a reply to nothing";
  return expect_ok(call.finish());
}

const std::string initial_value = "test_initial_metadata_value";
const std::string trailing_value = "\xab\xab\xab";

CallOptions with_metadata() {
  return in_time()
      .metadata(interop::initial_key, initial_value)
      .metadata(interop::trailing_key, trailing_value);
}

Difference expect_echo(const Metadata& headers, const Metadata& trailers) {
  if (headers.get(interop::initial_key) != initial_value) return "the header did not come back";
  if (trailers.get(interop::trailing_key) != trailing_value) return "the trailer did not come back";
  return "";
}

Task<Difference> custom_metadata_unary(Client& client) {
  auto call = client.UnaryCallAsync(large(), with_metadata());
  const Metadata& headers = co_await call.headers();
  const Result<pb::SimpleResponse> reply = co_await call;
  if (!reply) co_return expect_ok(reply.status());
  co_return expect_echo(headers, call.trailers());
}

Difference custom_metadata(Client& client) {
  if (Difference unary = nearcall::sync_wait(custom_metadata_unary(client)); !unary.empty()) {
    return "unary: " + unary;
  }
  auto call = client.FullDuplexCall(with_metadata());
  if (!call.write(ping(large_response, large_request))) return "a write was refused";
  call.writes_done();
  const std::optional<pb::StreamingOutputCallResponse> reply = call.read();
  if (!reply) return "duplex: no reply: " + call.finish().to_string();
  if (call.read()) return "duplex: too many replies";
  const Status status = call.finish();
  if (!status.ok()) return "duplex: " + expect_ok(status);
  const Difference echo = expect_echo(call.headers(), call.trailers());
  return echo.empty() ? "" : "duplex: " + echo;
}

Difference echo_status(Client& client, const std::string& message) {
  pb::SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  const Result<pb::SimpleResponse> reply = client.UnaryCall(request, in_time());
  return expect_status(reply.status(), StatusCode::unknown, message);
}

Difference status_code_and_message(Client& client) {
  const std::string message = "test status message";
  if (Difference unary = echo_status(client, message); !unary.empty()) return "unary: " + unary;
  auto call = client.FullDuplexCall(in_time());
  pb::StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  if (!call.write(request)) return "a write was refused";
  call.writes_done();
  if (call.read()) return "duplex: an unexpected reply";
  const Difference duplex = expect_status(call.finish(), StatusCode::unknown, message);
  return duplex.empty() ? "" : "duplex: " + duplex;
}

Difference special_status_message(Client& client) {
  return echo_status(client,
                     "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                     "\xf0\x9f\x98\x88\t\n");
}

Difference unimplemented_method(Client& client) {
  return expect_code(client.UnimplementedCall(pb::Empty(), in_time()).status(),
                     StatusCode::unimplemented);
}

Difference timeout_on_sleeping_server(Client& client) {
  if (Difference warm_up = empty_unary(client); !warm_up.empty()) return warm_up;
  auto call = client.FullDuplexCall(CallOptions().timeout(1ms));
  pb::StreamingOutputCallRequest request = ping(large_response, 27182);
  request.mutable_response_parameters(0)->set_interval_us(5'000'000);
  call.write(request);
  return expect_code(call.finish(), StatusCode::deadline_exceeded);
}

Difference cancel_after_begin(Client& client) {
  auto call = client.StreamingInputCall(in_time());
  call.cancel();
  return expect_code(call.finish().status(), StatusCode::cancelled);
}

Difference cancel_after_first_response(Client& client) {
  auto call = client.FullDuplexCall(in_time());
  if (!call.write(ping(31415, 27182))) return "a write was refused";
  if (!call.read()) return "no reply: " + call.finish().to_string();
  call.cancel();
  return expect_code(call.finish(), StatusCode::cancelled);
}

CallOptions compressed() {
  return in_time().compression(interop::watched_gzip);
}

/// What differs in whether the last reply was compressed.
Difference expect_compressed(bool wanted) {
  if (interop::watched_gzip.was_used() == wanted) return "";
  return wanted ? "a reply was not compressed" : "a reply was compressed";
}

/// A server that sees no difference is of no use: it is to refuse what it does not expect.
Difference client_compressed_unary(Client& client) {
  pb::SimpleRequest request = large();
  request.mutable_expect_compressed()->set_value(true);
  const Result<pb::SimpleResponse> probe = client.UnaryCall(request, in_time());
  Difference difference = expect_code(probe.status(), StatusCode::invalid_argument);
  if (!difference.empty()) return "the probe: " + difference;
  for (const bool is_compressed : {true, false}) {
    request.mutable_expect_compressed()->set_value(is_compressed);
    const Result<pb::SimpleResponse> reply =
        client.UnaryCall(request, is_compressed ? compressed() : in_time());
    if (!reply) return expect_ok(reply.status());
    difference = expect_body(reply->payload().body(), large_response);
    if (!difference.empty()) return difference;
  }
  return "";
}

Difference server_compressed_unary(Client& client) {
  pb::SimpleRequest request = large();
  for (const bool is_compressed : {true, false}) {
    request.mutable_response_compressed()->set_value(is_compressed);
    interop::watched_gzip.was_used();
    const Result<pb::SimpleResponse> reply = client.UnaryCall(request, in_time());
    if (!reply) return expect_ok(reply.status());
    Difference difference = expect_compressed(is_compressed);
    if (difference.empty()) difference = expect_body(reply->payload().body(), large_response);
    if (!difference.empty()) return difference;
  }
  return "";
}

Difference client_compressed_streaming(Client& client) {
  pb::StreamingInputCallRequest request;
  request.mutable_expect_compressed()->set_value(true);
  request.mutable_payload()->set_body(zeros(27182));
  auto probe = client.StreamingInputCall(in_time());
  probe.write(request);
  Difference difference = expect_code(probe.finish().status(), StatusCode::invalid_argument);
  if (!difference.empty()) return "the probe: " + difference;

  auto call = client.StreamingInputCall(compressed());
  if (!call.write(request)) return "a write was refused: " + call.finish().status().to_string();
  request.mutable_expect_compressed()->set_value(false);
  request.mutable_payload()->set_body(zeros(45904));
  if (!call.write(request, nearcall::no_compression))
    return "a write was refused: " + call.finish().status().to_string();
  const Result<pb::StreamingInputCallResponse> reply = call.finish();
  if (!reply) return expect_ok(reply.status());
  const int total = reply->aggregated_payload_size();
  return total == 73086 ? "" : "expected a total of 73086, got " + std::to_string(total);
}

Difference server_compressed_streaming(Client& client) {
  constexpr std::array<int, 2> sizes = {31415, 92653};
  pb::StreamingOutputCallRequest request;
  for (const int size : sizes) {
    pb::ResponseParameters& wanted = *request.add_response_parameters();
    wanted.set_size(size);
    wanted.mutable_compressed()->set_value(size == sizes.front());
  }
  auto call = client.StreamingOutputCall(request, in_time());
  interop::watched_gzip.was_used();
  for (const int size : sizes) {
    const std::optional<pb::StreamingOutputCallResponse> reply = call.read();
    if (!reply) return "too few replies: " + call.finish().to_string();
    Difference difference = expect_compressed(size == sizes.front());
    if (difference.empty()) difference = expect_body(reply->payload().body(), size);
    if (!difference.empty()) return difference;
  }
  if (call.read()) return "too many replies";
  return expect_ok(call.finish());
}

Difference unimplemented_service(nearcall::Channel& channel) {
  const pb::UnimplementedService::Client client(channel);
  return expect_code(client.UnimplementedCall(pb::Empty(), in_time()).status(),
                     StatusCode::unimplemented);
}

Difference health(nearcall::Channel& channel) {
  const auto server = nearcall::check_health(channel, "", in_time());
  if (!server) return expect_ok(server.status());
  if (*server != nearcall::ServingStatus::serving) return "it does not serve";
  return expect_code(nearcall::check_health(channel, "none.None", in_time()).status(),
                     StatusCode::not_found);
}

Difference reflection(nearcall::Channel& channel) {
  const auto names = nearcall::list_services(channel, in_time());
  if (!names) return expect_ok(names.status());
  const bool is_there = std::ranges::find(*names, "grpc.testing.TestService") != names->end();
  return is_there ? "" : "TestService is not listed";
}

Difference rich_error(Client& client) {
  pb::SimpleRequest request;
  request.mutable_response_status()->set_code(3);
  request.mutable_response_status()->set_message(interop::rich_message);
  const Status status = client.UnaryCall(request, in_time()).status();
  const auto rich = nearcall::RichStatus::from(status);
  if (!rich) return rich.error().to_string();
  const auto info = rich->find<google::rpc::ErrorInfo>();
  if (!info) return "no ErrorInfo came";
  return info->reason() == interop::rich_reason ? "" : "its reason is " + info->reason();
}

template <Difference (*test)(Client&)>
Difference on_test_service(nearcall::Channel& channel) {
  Client client(channel);
  return test(client);
}

// ---- soaks --------------------------------------------------------------------------------------

constexpr int soak_threads = 2;

/// Large calls, `iterations` a thread, on a channel for all of them or one for each.
Difference soak(const nearcall::Channel& channel,
                const std::string& address,
                int iterations,
                bool has_fresh_channels) {
  std::array<Difference, soak_threads> differences;
  {
    std::array<std::jthread, soak_threads> threads;
    for (std::size_t at = 0; at < threads.size(); ++at) {
      threads[at] = std::jthread([&, at] {
        for (int i = 0; i < iterations && differences[at].empty(); ++i) {
          Client client(has_fresh_channels ? nearcall::Channel(address) : channel);
          differences[at] = large_unary(client);
          if (!differences[at].empty()) differences[at] += ", in call " + std::to_string(i);
        }
      });
    }
  }
  const auto* const found = std::ranges::find_if_not(differences, &Difference::empty);
  return found == differences.end() ? Difference() : *found;
}

struct Case {
  std::string_view name;
  Difference (*run)(nearcall::Channel&);
};

constexpr std::array<Case, 21> cases = {{
    {"empty_unary", on_test_service<empty_unary>},
    {"large_unary", on_test_service<large_unary>},
    {"client_streaming", on_test_service<client_streaming>},
    {"server_streaming", on_test_service<server_streaming>},
    {"ping_pong", on_test_service<ping_pong>},
    {"empty_stream", on_test_service<empty_stream>},
    {"custom_metadata", on_test_service<custom_metadata>},
    {"status_code_and_message", on_test_service<status_code_and_message>},
    {"special_status_message", on_test_service<special_status_message>},
    {"unimplemented_method", on_test_service<unimplemented_method>},
    {"unimplemented_service", unimplemented_service},
    {"timeout_on_sleeping_server", on_test_service<timeout_on_sleeping_server>},
    {"cancel_after_begin", on_test_service<cancel_after_begin>},
    {"cancel_after_first_response", on_test_service<cancel_after_first_response>},
    {"health", health},
    {"reflection", reflection},
    {"rich_error", on_test_service<rich_error>},
    {"client_compressed_unary", on_test_service<client_compressed_unary>},
    {"server_compressed_unary", on_test_service<server_compressed_unary>},
    {"client_compressed_streaming", on_test_service<client_compressed_streaming>},
    {"server_compressed_streaming", on_test_service<server_compressed_streaming>},
}};

constexpr const char* usage =
    "usage: nearcall_interop_client --address=TARGET --test_case=NAME [--use_tls=false]\n"
    "       nearcall_interop_client --server_host=HOST --server_port=PORT --test_case=NAME\n"
    "\n"
    "Runs one of gRPC's interop cases: exits with 0, or says what differed and exits with 1.\n"
    "\n"
    "  --address=TARGET   unix:PATH, npipe:NAME, unix-abstract:NAME, ipv4:ADDRESS:PORT or\n"
    "                     ipv6:[ADDRESS]:PORT\n"
    "  --server_host=HOST an IP address; localhost, the default, is 127.0.0.1\n"
    "  --use_tls=false    is accepted; there is no TLS\n"
    "  --test_case=NAME   one of:\n";

int show_help() {
  std::fputs(usage, stdout);
  for (const Case& each : cases)
    std::printf("      %s\n", std::string(each.name).c_str());
  std::puts("      rpc_soak, channel_soak: large calls on one channel, or on one for each");
  std::puts("  --soak_iterations=NUMBER  of each thread of a soak; 10 by default");
  return 0;
}

int fail(const std::string& why) {
  std::fprintf(stderr, "nearcall_interop_client: %s; --help says more\n", why.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const interop::Flags flags(
      argc, argv,
      {"address", "server_host", "server_port", "test_case", "use_tls", "soak_iterations", "help"});
  if (flags.wants_help()) return show_help();
  if (!flags.error().empty()) return fail(flags.error());
  std::optional<std::string> address = flags.get("address");
  if (const auto port = flags.get("server_port"); !address && port) {
    address = interop::tcp_target(flags.get("server_host").value_or("localhost"), *port);
  }
  if (!address) return fail("--address or --server_port is missing");
  if (const auto parsed = nearcall::make_connector(*address); !parsed) {
    return fail(parsed.error().message());
  }
  const std::optional<std::string> name = flags.get("test_case");
  if (!name) return fail("--test_case is missing");
  const bool is_soak = *name == "rpc_soak" || *name == "channel_soak";
  const auto* const found = std::ranges::find(cases, *name, &Case::name);
  if (!is_soak && found == cases.end()) return fail("there is no test case " + *name);

  nearcall::Channel channel(
      *address, nearcall::ChannelOptions().codec(interop::watched_gzip).compression_threshold(0));
  const int iterations = std::atoi(flags.get("soak_iterations").value_or("10").c_str());
  const Difference difference =
      is_soak ? soak(channel, *address, iterations, /*has_fresh_channels=*/*name == "channel_soak")
              : found->run(channel);
  if (difference.empty()) return 0;
  std::fprintf(stderr, "%s: %s\n", name->c_str(), difference.c_str());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// The client of the gRPC interop contract:
// nearcall_interop_client --address=unix:PATH --test_case=NAME.
#include "flags.hpp"
#include "grpc/testing/test.nearcall.hpp"

#include <nearcall/channel.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

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

const std::map<std::string, Difference (*)(Client&)>& cases() {
  static const std::map<std::string, Difference (*)(Client&)> all = {
      {"empty_unary", empty_unary},
      {"large_unary", large_unary},
      {"client_streaming", client_streaming},
      {"server_streaming", server_streaming},
      {"ping_pong", ping_pong},
      {"empty_stream", empty_stream},
      {"custom_metadata", custom_metadata},
      {"status_code_and_message", status_code_and_message},
      {"special_status_message", special_status_message},
      {"unimplemented_method", unimplemented_method},
      {"timeout_on_sleeping_server", timeout_on_sleeping_server},
      {"cancel_after_begin", cancel_after_begin},
      {"cancel_after_first_response", cancel_after_first_response},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<std::string> address = interop::flag(argc, argv, "address");
  const std::optional<std::string> name = interop::flag(argc, argv, "test_case");
  if (!address || !name) {
    std::fputs("usage: nearcall_interop_client --address=unix:PATH --test_case=NAME\n", stderr);
    return 2;
  }
  nearcall::Channel channel(*address);
  Difference difference;
  if (*name == "unimplemented_service") {
    const pb::UnimplementedService::Client client(channel);
    difference = expect_code(client.UnimplementedCall(pb::Empty(), in_time()).status(),
                             StatusCode::unimplemented);
  } else if (const auto found = cases().find(*name); found != cases().end()) {
    Client client(channel);
    difference = found->second(client);
  } else {
    difference = "there is no such case";
  }
  if (difference.empty()) return 0;
  std::fprintf(stderr, "%s: %s\n", name->c_str(), difference.c_str());
  return 1;
}

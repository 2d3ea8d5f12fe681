// SPDX-License-Identifier: Apache-2.0
// The grpc++ peer's client: each interop case is one function that returns what differed, if
// anything.
#include "contract.hpp"
#include "inspector.hpp"

#include <grpc/testing/test.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>

namespace {

namespace pb = grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

/// What the server did and what the contract says instead; empty when they agree.
using Difference = std::string;

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : test(pb::TestService::NewStub(channel)),
        unimplemented(pb::UnimplementedService::NewStub(channel)) {}

  std::unique_ptr<pb::TestService::Stub> test;
  std::unique_ptr<pb::UnimplementedService::Stub> unimplemented;
};

/// Every call has a deadline, so that one that hangs says so.
void limit(ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

Difference check_status(const Status& status, StatusCode code) {
  if (status.error_code() == code) return {};
  return "status: got " + std::to_string(status.error_code()) + " '" + status.error_message() +
         "', expected " + std::to_string(code);
}

Difference check_status(const Status& status, StatusCode code, const std::string& message) {
  if (auto differs = check_status(status, code); !differs.empty()) return differs;
  if (status.error_message() == message) return {};
  return "status message: got '" + status.error_message() + "', expected '" + message + "'";
}

Difference check_body(const pb::Payload& payload, int size) {
  const std::string& body = payload.body();
  if (body.size() != static_cast<std::size_t>(size)) {
    return "body: got " + std::to_string(body.size()) + " bytes, expected " + std::to_string(size);
  }
  if (std::any_of(body.begin(), body.end(), [](char each) { return each != '\0'; })) {
    return "body: not all of its bytes are zero";
  }
  return {};
}

pb::Payload zeros(int size) {
  pb::Payload payload;
  payload.mutable_body()->resize(static_cast<std::size_t>(size));
  return payload;
}

pb::SimpleRequest large_request() {
  pb::SimpleRequest request;
  request.set_response_size(interop::large_response);
  *request.mutable_payload() = zeros(interop::large_request);
  return request;
}

pb::StreamingOutputCallRequest ping(int request_size, int response_size) {
  pb::StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_size);
  *request.mutable_payload() = zeros(request_size);
  return request;
}

Difference empty_unary(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::Empty response;
  return check_status(stubs.test->EmptyCall(&context, {}, &response), StatusCode::OK);
}

Difference large_unary(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::SimpleResponse response;
  const Status status = stubs.test->UnaryCall(&context, large_request(), &response);
  if (auto differs = check_status(status, StatusCode::OK); !differs.empty()) return differs;
  return check_body(response.payload(), interop::large_response);
}

Difference client_streaming(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::StreamingInputCallResponse response;
  const auto writer = stubs.test->StreamingInputCall(&context, &response);
  for (const int size : interop::request_sizes) {
    pb::StreamingInputCallRequest request;
    *request.mutable_payload() = zeros(size);
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  if (auto differs = check_status(writer->Finish(), StatusCode::OK); !differs.empty()) {
    return differs;
  }
  const int got = response.aggregated_payload_size();
  const int expected =
      std::accumulate(interop::request_sizes.begin(), interop::request_sizes.end(), 0);
  if (got == expected) return {};
  return "aggregated_payload_size: got " + std::to_string(got) + ", expected " +
         std::to_string(expected);
}

Difference server_streaming(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::StreamingOutputCallRequest request;
  for (const int size : interop::response_sizes)
    request.add_response_parameters()->set_size(size);
  const auto reader = stubs.test->StreamingOutputCall(&context, request);
  std::size_t count = 0;
  pb::StreamingOutputCallResponse response;
  while (reader->Read(&response)) {
    if (count == interop::response_sizes.size()) return "more responses than asked for";
    auto differs = check_body(response.payload(), interop::response_sizes[count++]);
    if (!differs.empty()) return differs;
  }
  if (auto differs = check_status(reader->Finish(), StatusCode::OK); !differs.empty()) {
    return differs;
  }
  return count == interop::response_sizes.size() ? "" : "fewer responses than asked for";
}

Difference ping_pong(Stubs& stubs) {
  ClientContext context;
  limit(context);
  const auto stream = stubs.test->FullDuplexCall(&context);
  pb::StreamingOutputCallResponse response;
  for (std::size_t i = 0; i < interop::request_sizes.size(); ++i) {
    stream->Write(ping(interop::request_sizes[i], interop::response_sizes[i]));
    if (!stream->Read(&response)) {
      return "no response " + std::to_string(i) + "; " +
             check_status(stream->Finish(), StatusCode::OK);
    }
    auto differs = check_body(response.payload(), interop::response_sizes[i]);
    if (!differs.empty()) return differs;
  }
  stream->WritesDone();
  if (stream->Read(&response)) return "a response after the half-close";
  return check_status(stream->Finish(), StatusCode::OK);
}

Difference empty_stream(Stubs& stubs) {
  ClientContext context;
  limit(context);
  const auto stream = stubs.test->FullDuplexCall(&context);
  stream->WritesDone();
  pb::StreamingOutputCallResponse response;
  if (stream->Read(&response)) return "a response to no request";
  return check_status(stream->Finish(), StatusCode::OK);
}

void add_metadata(ClientContext& context) {
  context.AddMetadata(interop::initial_key, interop::initial_value);
  context.AddMetadata(interop::trailing_key, interop::trailing_value);
}

Difference check_metadata(const ClientContext& context) {
  const auto& initial = context.GetServerInitialMetadata();
  const auto header = initial.find(interop::initial_key);
  if (header == initial.end() || header->second != interop::initial_value) {
    return std::string(interop::initial_key) + " is not in the initial metadata as sent";
  }
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto trailer = trailing.find(interop::trailing_key);
  if (trailer == trailing.end() || trailer->second != interop::trailing_value) {
    return std::string(interop::trailing_key) + " is not in the trailing metadata as sent";
  }
  return {};
}

Difference metadata_of_unary(Stubs& stubs) {
  ClientContext context;
  limit(context);
  add_metadata(context);
  pb::SimpleResponse response;
  const Status status = stubs.test->UnaryCall(&context, large_request(), &response);
  if (auto differs = check_status(status, StatusCode::OK); !differs.empty()) return differs;
  return check_metadata(context);
}

Difference metadata_of_duplex(Stubs& stubs) {
  ClientContext context;
  limit(context);
  add_metadata(context);
  const auto stream = stubs.test->FullDuplexCall(&context);
  stream->Write(ping(interop::large_request, interop::large_response));
  stream->WritesDone();
  int count = 0;
  pb::StreamingOutputCallResponse response;
  for (; stream->Read(&response); ++count) {
    auto differs = check_body(response.payload(), interop::large_response);
    if (!differs.empty()) return differs;
  }
  if (auto differs = check_status(stream->Finish(), StatusCode::OK); !differs.empty()) {
    return differs;
  }
  if (count != 1) return "got " + std::to_string(count) + " responses, expected 1";
  return check_metadata(context);
}

Difference custom_metadata(Stubs& stubs) {
  if (auto differs = metadata_of_unary(stubs); !differs.empty()) return "unary: " + differs;
  if (auto differs = metadata_of_duplex(stubs); !differs.empty()) return "duplex: " + differs;
  return {};
}

Difference unary_status(Stubs& stubs, const std::string& message) {
  ClientContext context;
  limit(context);
  pb::SimpleRequest request;
  request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(message);
  pb::SimpleResponse response;
  return check_status(stubs.test->UnaryCall(&context, request, &response), StatusCode::UNKNOWN,
                      message);
}

Difference duplex_status(Stubs& stubs, const std::string& message) {
  ClientContext context;
  limit(context);
  const auto stream = stubs.test->FullDuplexCall(&context);
  pb::StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message(message);
  stream->Write(request);
  stream->WritesDone();
  pb::StreamingOutputCallResponse response;
  if (stream->Read(&response)) return "duplex: a response instead of the status";
  return check_status(stream->Finish(), StatusCode::UNKNOWN, message);
}

Difference status_code_and_message(Stubs& stubs) {
  auto differs = unary_status(stubs, interop::status_message);
  if (!differs.empty()) return "unary: " + differs;
  differs = duplex_status(stubs, interop::status_message);
  return differs.empty() ? differs : "duplex: " + differs;
}

Difference special_status_message(Stubs& stubs) {
  return unary_status(stubs, interop::special_message);
}

Difference unimplemented_method(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::Empty response;
  return check_status(stubs.test->UnimplementedCall(&context, {}, &response),
                      StatusCode::UNIMPLEMENTED);
}

Difference unimplemented_service(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::Empty response;
  return check_status(stubs.unimplemented->UnimplementedCall(&context, {}, &response),
                      StatusCode::UNIMPLEMENTED);
}

Difference timeout_on_sleeping_server(Stubs& stubs) {
  // Connects, so that the call has its millisecond for itself.
  if (auto differs = empty_unary(stubs); !differs.empty()) return differs;
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  const auto stream = stubs.test->FullDuplexCall(&context);
  pb::StreamingOutputCallRequest request;
  *request.mutable_payload() = zeros(interop::request_sizes[0]);
  stream->Write(request);
  pb::StreamingOutputCallResponse response;
  if (stream->Read(&response)) return "a response that nobody asked for";
  return check_status(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

Difference cancel_after_begin(Stubs& stubs) {
  ClientContext context;
  limit(context);
  pb::StreamingInputCallResponse response;
  const auto writer = stubs.test->StreamingInputCall(&context, &response);
  context.TryCancel();
  return check_status(writer->Finish(), StatusCode::CANCELLED);
}

Difference cancel_after_first_response(Stubs& stubs) {
  ClientContext context;
  limit(context);
  const auto stream = stubs.test->FullDuplexCall(&context);
  stream->Write(ping(interop::request_sizes[0], interop::response_sizes[0]));
  pb::StreamingOutputCallResponse response;
  if (!stream->Read(&response)) return "no response";
  auto differs = check_body(response.payload(), interop::response_sizes[0]);
  if (!differs.empty()) return differs;
  context.TryCancel();
  if (stream->Read(&response)) return "a response after the cancellation";
  return check_status(stream->Finish(), StatusCode::CANCELLED);
}

using Inspector = grpc::testing::InteropClientContextInspector;

Difference check_compressed(const ClientContext& context, bool wanted) {
  if (Inspector::was_compressed(context) == wanted) return {};
  return wanted ? "a response was not compressed" : "a response was compressed";
}

void compress(ClientContext& context, bool does) {
  context.set_compression_algorithm(does ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
}

/// The first call is the probe: not compressed, and expected to be.
Difference client_compressed_unary(Stubs& stubs) {
  struct Round {
    bool expects;
    bool compresses;
    StatusCode code;
  };
  for (const Round& round :
       {Round{true, false, StatusCode::INVALID_ARGUMENT}, Round{true, true, StatusCode::OK},
        Round{false, false, StatusCode::OK}}) {
    ClientContext context;
    limit(context);
    compress(context, round.compresses);
    pb::SimpleRequest request = large_request();
    request.mutable_expect_compressed()->set_value(round.expects);
    pb::SimpleResponse response;
    const Status status = stubs.test->UnaryCall(&context, request, &response);
    if (auto differs = check_status(status, round.code); !differs.empty()) return differs;
    if (!status.ok()) continue;
    auto differs = check_body(response.payload(), interop::large_response);
    if (!differs.empty()) return differs;
  }
  return {};
}

Difference server_compressed_unary(Stubs& stubs) {
  for (const bool is_compressed : {true, false}) {
    ClientContext context;
    limit(context);
    pb::SimpleRequest request = large_request();
    request.mutable_response_compressed()->set_value(is_compressed);
    pb::SimpleResponse response;
    const Status status = stubs.test->UnaryCall(&context, request, &response);
    if (auto differs = check_status(status, StatusCode::OK); !differs.empty()) return differs;
    auto differs = check_compressed(context, is_compressed);
    if (differs.empty()) differs = check_body(response.payload(), interop::large_response);
    if (!differs.empty()) return differs;
  }
  return {};
}

Difference client_compressed_streaming(Stubs& stubs) {
  pb::StreamingInputCallRequest request;
  request.mutable_expect_compressed()->set_value(true);
  *request.mutable_payload() = zeros(27182);
  {
    ClientContext context;
    limit(context);
    compress(context, false);
    pb::StreamingInputCallResponse response;
    const auto writer = stubs.test->StreamingInputCall(&context, &response);
    writer->Write(request);
    writer->WritesDone();
    auto differs = check_status(writer->Finish(), StatusCode::INVALID_ARGUMENT);
    if (!differs.empty()) return "the probe: " + differs;
  }
  ClientContext context;
  limit(context);
  compress(context, true);
  pb::StreamingInputCallResponse response;
  const auto writer = stubs.test->StreamingInputCall(&context, &response);
  writer->Write(request);
  request.mutable_expect_compressed()->set_value(false);
  *request.mutable_payload() = zeros(45904);
  writer->Write(request, grpc::WriteOptions().set_no_compression());
  writer->WritesDone();
  if (auto differs = check_status(writer->Finish(), StatusCode::OK); !differs.empty()) {
    return differs;
  }
  const int total = response.aggregated_payload_size();
  return total == 73086 ? "" : "aggregated_payload_size: got " + std::to_string(total);
}

Difference server_compressed_streaming(Stubs& stubs) {
  constexpr std::array sizes = {31415, 92653};
  ClientContext context;
  limit(context);
  pb::StreamingOutputCallRequest request;
  for (const int size : sizes) {
    pb::ResponseParameters& wanted = *request.add_response_parameters();
    wanted.set_size(size);
    wanted.mutable_compressed()->set_value(size == sizes.front());
  }
  const auto reader = stubs.test->StreamingOutputCall(&context, request);
  pb::StreamingOutputCallResponse response;
  for (const int size : sizes) {
    if (!reader->Read(&response)) return "too few responses";
    auto differs = check_compressed(context, size == sizes.front());
    if (differs.empty()) differs = check_body(response.payload(), size);
    if (!differs.empty()) return differs;
  }
  if (reader->Read(&response)) return "too many responses";
  return check_status(reader->Finish(), StatusCode::OK);
}

/// Large calls, on one channel or on one for each.
Difference soak(const std::string& address, int iterations, bool has_fresh_channels) {
  std::unique_ptr<Stubs> stubs;
  for (int i = 0; i < iterations; ++i) {
    if (stubs == nullptr || has_fresh_channels) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, has_fresh_channels ? 1 : 0);
      stubs = std::make_unique<Stubs>(
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    }
    if (auto differs = large_unary(*stubs); !differs.empty()) {
      return differs + ", in call " + std::to_string(i);
    }
  }
  return {};
}

const std::map<std::string_view, Difference (*)(Stubs&)>& cases() {
  static const std::map<std::string_view, Difference (*)(Stubs&)> all = {
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
      {"unimplemented_service", unimplemented_service},
      {"timeout_on_sleeping_server", timeout_on_sleeping_server},
      {"cancel_after_begin", cancel_after_begin},
      {"cancel_after_first_response", cancel_after_first_response},
      {"client_compressed_unary", client_compressed_unary},
      {"server_compressed_unary", server_compressed_unary},
      {"client_compressed_streaming", client_compressed_streaming},
      {"server_compressed_streaming", server_compressed_streaming},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const auto address = interop::flag(argc, argv, "address");
  const auto name = interop::flag(argc, argv, "test_case");
  if (!address || !name) {
    std::fputs(
        "usage: grpcpp_interop_client --address=unix:PATH --test_case=NAME [--compression=gzip]\n",
        stderr);
    return 2;
  }
  const bool is_soak = *name == "rpc_soak" || *name == "channel_soak";
  const auto found = cases().find(*name);
  if (!is_soak && found == cases().end()) {
    std::fprintf(stderr, "unknown test case '%s'\n", name->c_str());
    return 2;
  }
  // Every request names gzip then; messages have it if that makes them smaller.
  grpc::ChannelArguments arguments;
  if (interop::flag(argc, argv, "compression") == "gzip") {
    arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  }
  Stubs stubs(grpc::CreateCustomChannel(*address, grpc::InsecureChannelCredentials(), arguments));
  const std::string iterations(interop::flag(argc, argv, "soak_iterations").value_or("20"));
  const Difference differs = is_soak ? soak(*address, std::atoi(iterations.c_str()),
                                            /*has_fresh_channels=*/*name == "channel_soak")
                                     : found->second(stubs);
  if (differs.empty()) return 0;
  std::fprintf(stderr, "%s: %s\n", name->c_str(), differs.c_str());
  return 1;
}

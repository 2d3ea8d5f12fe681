// SPDX-License-Identifier: Apache-2.0
// The grpc++ peer's server: the interop TestService on a Unix socket.
#include "contract.hpp"
#include "inspector.hpp"

#include <grpc/testing/test.grpc.pb.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace {

namespace pb = grpc::testing;
using grpc::ServerContext;
using grpc::Status;

void echo_metadata(ServerContext& context) {
  const auto& metadata = context.client_metadata();
  if (const auto found = metadata.find(interop::initial_key); found != metadata.end()) {
    context.AddInitialMetadata(interop::initial_key, {found->second.data(), found->second.size()});
  }
  if (const auto found = metadata.find(interop::trailing_key); found != metadata.end()) {
    context.AddTrailingMetadata(interop::trailing_key,
                                {found->second.data(), found->second.size()});
  }
}

/// The status that a request asks for; OK if it asks for none.
template <class Request>
Status echo_status(const Request& request) {
  if (!request.has_response_status()) return Status::OK;
  const auto& wanted = request.response_status();
  return {static_cast<grpc::StatusCode>(wanted.code()), wanted.message()};
}

/// What a request says that was not compressed, or was, and should not be.
template <class Request>
Status check_compression(const ServerContext& context, const Request& request) {
  using Inspector = grpc::testing::InteropServerContextInspector;
  const bool was_compressed = Inspector::was_compressed(context);
  if (!request.has_expect_compressed() || request.expect_compressed().value() == was_compressed)
    return Status::OK;
  return {grpc::StatusCode::INVALID_ARGUMENT, "the request was compressed, or it was not"};
}

template <class Stream>
Status answer(const pb::StreamingOutputCallRequest& request, Stream& stream) {
  if (Status status = echo_status(request); !status.ok()) return status;
  for (const auto& wanted : request.response_parameters()) {
    std::this_thread::sleep_for(std::chrono::microseconds(wanted.interval_us()));
    pb::StreamingOutputCallResponse response;
    response.mutable_payload()->mutable_body()->resize(static_cast<std::size_t>(wanted.size()));
    grpc::WriteOptions options;
    if (wanted.has_compressed() && !wanted.compressed().value()) options.set_no_compression();
    if (!stream.Write(response, options)) return Status::CANCELLED;
  }
  return Status::OK;
}

class TestServicePeer final : public pb::TestService::Service {
 public:
  Status EmptyCall(ServerContext*, const pb::Empty*, pb::Empty*) override { return Status::OK; }

  Status UnaryCall(ServerContext* context,
                   const pb::SimpleRequest* request,
                   pb::SimpleResponse* response) override {
    echo_metadata(*context);
    if (Status status = check_compression(*context, *request); !status.ok()) return status;
    if (request->has_response_compressed()) {
      context->set_compression_algorithm(
          request->response_compressed().value() ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
    }
    const auto size = static_cast<std::size_t>(request->response_size());
    response->mutable_payload()->mutable_body()->resize(size);
    return echo_status(*request);
  }

  Status StreamingInputCall(ServerContext* context,
                            grpc::ServerReader<pb::StreamingInputCallRequest>* reader,
                            pb::StreamingInputCallResponse* response) override {
    std::size_t total = 0;
    pb::StreamingInputCallRequest request;
    while (reader->Read(&request)) {
      if (Status status = check_compression(*context, request); !status.ok()) return status;
      total += request.payload().body().size();
    }
    response->set_aggregated_payload_size(static_cast<std::int32_t>(total));
    return Status::OK;
  }

  Status StreamingOutputCall(ServerContext* context,
                             const pb::StreamingOutputCallRequest* request,
                             grpc::ServerWriter<pb::StreamingOutputCallResponse>* writer) override {
    echo_metadata(*context);
    for (const auto& wanted : request->response_parameters())
      if (wanted.compressed().value()) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    return answer(*request, *writer);
  }

  Status FullDuplexCall(ServerContext* context,
                        grpc::ServerReaderWriter<pb::StreamingOutputCallResponse,
                                                 pb::StreamingOutputCallRequest>* stream) override {
    echo_metadata(*context);
    pb::StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (Status status = answer(request, *stream); !status.ok()) return status;
    }
    return Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const auto address = interop::flag(argc, argv, "address");
  if (!address) {
    std::fputs("usage: grpcpp_interop_server --address=unix:PATH [--compression=gzip]\n", stderr);
    return 2;
  }
  // Blocked before the server makes its threads, so that all of them inherit it.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  TestServicePeer service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(*address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  // Every response names gzip then; messages have it if that makes them smaller.
  if (interop::flag(argc, argv, "compression") == "gzip") {
    builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) {
    std::fprintf(stderr, "cannot listen on %s\n", address->c_str());
    return 1;
  }
  std::puts("READY");
  std::fflush(stdout);

  int signal_number = 0;
  sigwait(&stop_signals, &signal_number);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

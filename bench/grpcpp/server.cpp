// SPDX-License-Identifier: Apache-2.0
// grpc++ as a server in the comparison: the synchronous service, or with --mode callback the other.
#include "common/options.hpp"
#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <thread>

namespace {

class SyncEcho final : public bench::Echo::Service {
  grpc::Status Unary(grpc::ServerContext*,
                     const bench::Message* request,
                     bench::Message* reply) override {
    reply->set_payload(request->payload());
    return grpc::Status::OK;
  }
  grpc::Status Expand(grpc::ServerContext*,
                      const bench::ExpandRequest* request,
                      grpc::ServerWriter<bench::Message>* replies) override {
    bench::Message reply;
    reply.set_payload(std::string(request->size(), 'x'));
    for (std::uint64_t i = 0; i < request->messages(); ++i) {
      if (!replies->Write(reply)) break;
    }
    return grpc::Status::OK;
  }
  grpc::Status Collect(grpc::ServerContext*,
                       grpc::ServerReader<bench::Message>* requests,
                       bench::Message*) override {
    bench::Message request;
    while (requests->Read(&request)) {
    }
    return grpc::Status::OK;
  }
  grpc::Status Chat(grpc::ServerContext*,
                    grpc::ServerReaderWriter<bench::Message, bench::Message>* stream) override {
    bench::Message message;
    while (stream->Read(&message)) {
      if (!stream->Write(message)) break;
    }
    return grpc::Status::OK;
  }
};

class Expander final : public grpc::ServerWriteReactor<bench::Message> {
 public:
  explicit Expander(const bench::ExpandRequest& request) : left_(request.messages()) {
    reply_.set_payload(std::string(request.size(), 'x'));
    OnWriteDone(true);
  }
  void OnWriteDone(bool ok) override {
    if (!ok || left_ == 0) return Finish(grpc::Status::OK);
    --left_;
    StartWrite(&reply_);
  }
  void OnDone() override { delete this; }

 private:
  bench::Message reply_;
  std::uint64_t left_;
};

class Collector final : public grpc::ServerReadReactor<bench::Message> {
 public:
  Collector() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  bench::Message request_;
};

class Chatter final : public grpc::ServerBidiReactor<bench::Message, bench::Message> {
 public:
  Chatter() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartWrite(&message_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  bench::Message message_;
};

class CallbackEcho final : public bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context,
                                  const bench::Message* request,
                                  bench::Message* reply) override {
    reply->set_payload(request->payload());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<bench::Message>* Expand(grpc::CallbackServerContext*,
                                                   const bench::ExpandRequest* request) override {
    return new Expander(*request);
  }
  grpc::ServerReadReactor<bench::Message>* Collect(grpc::CallbackServerContext*,
                                                   bench::Message*) override {
    return new Collector;
  }
  grpc::ServerBidiReactor<bench::Message, bench::Message>* Chat(
      grpc::CallbackServerContext*) override {
    return new Chatter;
  }
};

}  // namespace

int main(int argc, char** argv) {
  bench::raise_descriptor_limit();
  const bench::Options options = bench::parse_options(argc, argv);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  SyncEcho sync;
  CallbackEcho callback;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  if (options.has_gzip) builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials());
  if (options.mode == "callback") {
    builder.RegisterService(&callback);
  } else {
    builder.RegisterService(&sync);
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  bench::say_ready();
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

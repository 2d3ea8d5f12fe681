// SPDX-License-Identifier: Apache-2.0
// grpc++ as a client in the comparison. Calls in flight go through a completion queue, or with
// --mode callback through the callback interface.
#include "common/client_main.hpp"
#include "common/payload.hpp"
#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace {

using bench::Clock;
using bench::Meter;
using bench::Options;

std::shared_ptr<grpc::Channel> make_channel(const Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection for each channel
  if (options.has_gzip) arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
}

using Stub = bench::Echo::Stub;

std::unique_ptr<Stub> make_stub(const Options& options) {
  return std::make_unique<Stub>(make_channel(options));
}

bench::Message message_of(std::size_t size) {
  bench::Message message;
  message.set_payload(std::string(size, 'x'));
  return message;
}

bench::ExpandRequest expand_request(const Options& options) {
  bench::ExpandRequest request;
  request.set_messages(options.messages);
  request.set_size(static_cast<std::uint32_t>(options.size));
  return request;
}

void check(const grpc::Status& status) {
  bench::require(status.ok(), status.error_message());
}

void check_size(const bench::Message& reply, std::size_t size) {
  bench::require(reply.payload().size() == size, "the reply has another size");
}

void call_once(Stub& stub, const bench::Message& request, std::size_t size) {
  grpc::ClientContext context;
  bench::Message reply;
  check(stub.Unary(&context, request, &reply));
  check_size(reply, size);
}

// ---- blocking ----------------------------------------------------------------------------------

void unary(const Options& options) {
  const auto stub = make_stub(options);
  bench::Message request;
  request.set_payload(bench::payload_of(options));
  bench::measure_blocking(options, [&] { call_once(*stub, request, options.size); });
}

void once(const Options& options) {
  const auto stub = make_stub(options);
  call_once(*stub, message_of(options.size), options.size);
}

/// The first call finds that the connection is dead, and fails: it is made once more, and waits.
void call_after_return(const Options& options) {
  const auto stub = make_stub(options);
  const bench::Message request = message_of(options.size);
  bench::call_when_told([&] {
    bench::Message reply;
    grpc::Status status(grpc::StatusCode::UNAVAILABLE, "not called");
    while (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      status = stub->Unary(&context, request, &reply);
    }
    check(status);
    check_size(reply, options.size);
  });
}

void expand(const Options& options) {
  const auto stub = make_stub(options);
  Meter meter(options);
  bench::Message reply;
  std::uint64_t seen = 0;
  while (!meter.is_over()) {
    grpc::ClientContext context;
    const auto call = stub->Expand(&context, expand_request(options));
    while (call->Read(&reply)) {
      if (++seen % 64 == 0 && !meter.messages_done(64)) context.TryCancel();
    }
    const grpc::Status status = call->Finish();
    if (!meter.is_over()) check(status);
  }
  meter.print();
}

void collect(const Options& options) {
  const auto stub = make_stub(options);
  Meter meter(options);
  const bench::Message request = message_of(options.size);
  while (!meter.is_over()) {
    grpc::ClientContext context;
    bench::Message reply;
    const auto call = stub->Collect(&context, &reply);
    for (std::uint64_t i = 1; i <= options.messages && !meter.is_over(); ++i) {
      bench::require(call->Write(request), "a write was refused");
      if (i % 64 == 0) meter.messages_done(64);
    }
    call->WritesDone();
    check(call->Finish());
  }
  meter.print();
}

void chat(const Options& options) {
  const auto stub = make_stub(options);
  const bench::Message request = message_of(options.size);
  bench::Message reply;
  grpc::ClientContext context;
  const auto call = stub->Chat(&context);
  bench::measure_blocking(options, [&] {
    bench::require(call->Write(request) && call->Read(&reply), "the stream ended");
    check_size(reply, options.size);
  });
  call->WritesDone();
  check(call->Finish());
}

void flood(const Options& options) {
  const auto stub = make_stub(options);
  Meter meter(options);
  std::atomic<bool> is_over = false;
  grpc::ClientContext context;
  const auto call = stub->Chat(&context);
  std::jthread writer([&] {
    const bench::Message request = message_of(options.size);
    while (!is_over) {
      bench::require(call->Write(request), "a write was refused");
    }
    call->WritesDone();
  });
  bench::Message reply;
  std::uint64_t seen = 0;
  while (call->Read(&reply)) {
    if (++seen % 64 == 0) is_over = !meter.messages_done(64);
  }
  writer.join();
  check(call->Finish());
  meter.print();
}

void hold(const Options& options) {
  std::vector<std::unique_ptr<Stub>> stubs;
  for (std::size_t i = 0; i < options.connections; ++i) {
    stubs.push_back(make_stub(options));
    call_once(*stubs.back(), message_of(options.size), options.size);
  }
  bench::hold_until_told();
}

// ---- many calls in flight ----------------------------------------------------------------------

/// One call after the other, over the connections `first`, `first` + `step`, …
class Caller {
 public:
  Caller(const std::vector<std::unique_ptr<Stub>>& stubs, std::size_t first, const Options& options)
      : stubs_(stubs), options_(options), first_(first % stubs.size()), next_(first_) {
    request_ = message_of(options.size);
  }
  virtual ~Caller() = default;

  void begin() {
    started_ = Clock::now();
    context_.emplace();
    start(*stubs_[next_]);
    // Nothing of this object may be touched here: the call may be over, and the next one begun.
  }
  /// Returns whether another call is to begin.
  bool done(Meter& meter) {
    check(status_);
    check_size(reply_, options_.size);
    const std::size_t step = options_.inflight;
    next_ = next_ + step < stubs_.size() ? next_ + step : first_;
    return meter.call_done(started_, Clock::now());
  }

 protected:
  virtual void start(Stub& stub) = 0;

  const std::vector<std::unique_ptr<Stub>>& stubs_;
  const Options& options_;
  std::size_t first_;
  std::size_t next_;
  Clock::time_point started_;
  std::optional<grpc::ClientContext> context_;
  bench::Message request_;
  bench::Message reply_;
  grpc::Status status_;
};

class QueueCaller final : public Caller {
 public:
  QueueCaller(const std::vector<std::unique_ptr<Stub>>& stubs,
              std::size_t first,
              const Options& options,
              grpc::CompletionQueue& queue)
      : Caller(stubs, first, options), queue_(queue) {}

 private:
  void start(Stub& stub) override {
    reader_ = stub.AsyncUnary(&*context_, request_, &queue_);
    reader_->Finish(&reply_, &status_, this);
  }

  grpc::CompletionQueue& queue_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Message>> reader_;
};

void call_over_queue(const std::vector<std::unique_ptr<Stub>>& stubs, const Options& options) {
  grpc::CompletionQueue queue;
  Meter meter(options);
  std::vector<std::unique_ptr<QueueCaller>> callers;
  for (std::size_t i = 0; i < options.inflight; ++i) {
    callers.push_back(std::make_unique<QueueCaller>(stubs, i, options, queue));
    callers.back()->begin();
  }
  std::size_t running = callers.size();
  void* tag = nullptr;
  bool ok = false;
  while (running > 0 && queue.Next(&tag, &ok)) {
    auto& caller = *static_cast<QueueCaller*>(tag);
    if (caller.done(meter)) {
      caller.begin();
    } else {
      --running;
    }
  }
  queue.Shutdown();
  meter.print();
}

/// What the callbacks, which come on several threads, share.
struct CallbackRun {
  explicit CallbackRun(const Options& options) : meter(options), running(options.inflight) {}
  std::mutex mutex;
  std::condition_variable changed;
  Meter meter;
  std::size_t running;
};

class CallbackCaller final : public Caller {
 public:
  CallbackCaller(const std::vector<std::unique_ptr<Stub>>& stubs,
                 std::size_t first,
                 const Options& options,
                 CallbackRun& run)
      : Caller(stubs, first, options), run_(run) {}

 private:
  void start(Stub& stub) override {
    stub.async()->Unary(&*context_, &request_, &reply_, [this](const grpc::Status& status) {
      status_ = status;
      over();
    });
  }
  void over() {
    {
      const std::lock_guard lock(run_.mutex);
      if (!done(run_.meter)) {
        --run_.running;
        run_.changed.notify_all();
        return;
      }
    }
    begin();
  }

  CallbackRun& run_;
};

void call_with_callbacks(const std::vector<std::unique_ptr<Stub>>& stubs, const Options& options) {
  CallbackRun run(options);
  std::vector<std::unique_ptr<CallbackCaller>> callers;
  for (std::size_t i = 0; i < options.inflight; ++i) {
    callers.push_back(std::make_unique<CallbackCaller>(stubs, i, options, run));
  }
  for (const auto& caller : callers) {
    caller->begin();
  }
  std::unique_lock lock(run.mutex);
  run.changed.wait(lock, [&] { return run.running == 0; });
  run.meter.print();
}

void pipelined(const Options& options) {
  std::vector<std::unique_ptr<Stub>> stubs;
  for (std::size_t i = 0; i < options.connections; ++i) {
    stubs.push_back(make_stub(options));
    if (options.calls == 0) call_once(*stubs.back(), bench::Message(), 0);
  }
  if (options.mode == "callback") {
    call_with_callbacks(stubs, options);
  } else {
    call_over_queue(stubs, options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return bench::client_main(argc, argv,
                            {{"unary", unary},
                             {"once", once},
                             {"return", call_after_return},
                             {"pipelined", pipelined},
                             {"expand", expand},
                             {"collect", collect},
                             {"flood", flood},
                             {"chat", chat},
                             {"hold", hold}});
}

// SPDX-License-Identifier: Apache-2.0
// TestCall: a call without a server, for handlers that a test calls itself. Link nearcall::testing.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/blocking_service.hpp>
#include <nearcall/metadata.hpp>
#include <nearcall/peer.hpp>
#include <nearcall/server_context.hpp>
#include <nearcall/unique_function.hpp>

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// GoogleTest's.
namespace testing {}

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// What is behind a TestCall, and its streams.
class TestCallCore {
 public:
  using Written = UniqueFunction<void(const google::protobuf::MessageLite&)>;

  virtual ~TestCallCore() = default;
  virtual BlockingStream& blocking() noexcept = 0;
  /// For coroutines on the loop that sync_wait() drives on this thread; from now on they read.
  virtual MessageStream& awaited() = 0;
  virtual void add_request(std::string message) = 0;
  virtual void end_requests() = 0;
  virtual void set_on_write(Written on_write) = 0;
  /// What was written so far, serialised.
  virtual std::vector<std::string> written() const = 0;
};

/// The two forms of one end of a stream, of which a handler has one.
template <class Blocking, class Awaited>
class TestStreamEnd {
 public:
  explicit TestStreamEnd(TestCallCore& call)
      : call_(&call), blocking_(Access::make<Blocking>(call.blocking())) {}
  TestCallCore& call() const noexcept { return *call_; }
  Blocking& blocking() noexcept { return blocking_; }
  Awaited& awaited() {
    if (!awaited_) awaited_.emplace(call_->awaited());
    return awaited_->end;
  }

 private:
  struct Holder {
    explicit Holder(MessageStream& stream) : end(Access::make<Awaited>(stream)) {}
    Awaited end;
  };

  TestCallCore* call_;
  Blocking blocking_;
  std::optional<Holder> awaited_;
};

}  // namespace detail

namespace testing {

/// So that `testing::Test` within namespace nearcall is still GoogleTest's
/// (transport_contract.hpp).
using namespace ::testing;

/// A call that a test makes: what the handler sees is what the test says, and what the handler says
/// can be read. No server and no channel is needed:
///
///     nearcall::testing::TestCall call;
///     call.add_metadata("tenant", "blue");
///     Result<HelloReply> reply = sync_wait(service.SayHello(call, request));  // a coroutine
///     Result<HelloReply> reply = blocking_service.SayHello(call, request);    // a function
///
/// What a server would end the call or the program for, such as a header after the headers were
/// sent, or until_ending() in an ordinary function, throws std::logic_error. The deadline is what
/// the handler sees; that it has passed is said by cancel(): `clock.advance(1h); call.cancel();`
///
/// Outlives the handler, and its streams. Thread safety: as the ServerContext; cancel() and
/// stop_server() from any thread while the handler is an ordinary function, otherwise from that of
/// the handler's loop. What is asked of it after the handler has returned, from any thread.
class TestCall {
 public:
  TestCall();
  TestCall(const TestCall&) = delete;
  TestCall& operator=(const TestCall&) = delete;
  ~TestCall();

  /// What the handler is called with.
  operator ServerContext&() noexcept { return context(); }
  ServerContext& context() noexcept;

  // What the handler sees of the request. Before it is called.

  /// By default this process, without credentials: PeerIdentity::own().
  void set_peer(PeerIdentity peer);
  /// "/test.Service/Method" by default.
  void set_method(std::string method);
  /// "localhost" by default.
  void set_authority(std::string authority);
  /// None by default.
  void set_deadline(std::chrono::steady_clock::time_point deadline);
  /// Throws std::logic_error for what Metadata::add() refuses.
  void add_metadata(std::string_view key, std::string_view value);

  // What happens meanwhile.

  /// Nobody waits for the answer any more: reads and writes that wait end, and the tokens say so.
  void cancel();
  /// The server begins to drain.
  void stop_server();

  // What the handler has said besides its reply.

  const Metadata& headers() const noexcept;
  const Metadata& trailers() const noexcept;
  /// Whether headers went before the reply: with the first message of a stream, or because the
  /// handler sent them.
  bool were_headers_sent() const noexcept;

 private:
  friend detail::Access;
  class Core;

  Core& core() const noexcept;

  std::unique_ptr<detail::TestCallCore> core_;
};

/// The requests of a call with a stream of them, which a test writes and a handler reads:
///
///     TestRequests<HelloRequest> requests(call, {one, two});  // and then they end
///     Result<HelloReply> reply = sync_wait(service.Collect(call, requests));
///
/// A call has one. Outlives the handler. Thread safety: a coroutine handler's loop; of a function
/// any thread.
template <class Request>
class TestRequests {
 public:
  /// Nothing yet: add() and end() follow, before the handler is called or while it runs. A read
  /// that waits on the thread that would add never returns.
  explicit TestRequests(TestCall& call) : end_(detail::Access::core(call)) {}
  /// These, and no more.
  TestRequests(TestCall& call, std::initializer_list<Request> requests) : TestRequests(call) {
    for (const Request& request : requests)
      add(request);
    end();
  }
  TestRequests(const TestRequests&) = delete;
  TestRequests& operator=(const TestRequests&) = delete;
  ~TestRequests() = default;

  /// One more; not after end().
  void add(const Request& request) { end_.call().add_request(request.SerializeAsString()); }
  /// The client has ended its requests.
  void end() { end_.call().end_requests(); }

  /// What the handler is called with.
  operator ServerReader<Request>&() { return end_.awaited(); }
  operator BlockingReader<Request>&() { return end_.blocking(); }

 private:
  detail::TestStreamEnd<BlockingReader<Request>, ServerReader<Request>> end_;
};

/// The replies of a call with a stream of them, which a handler writes and a test reads. There is
/// always room for one more.
///
/// A call has one. Outlives the handler. Thread safety: as that of TestRequests; written() from any
/// thread.
template <class Reply>
class TestReplies {
 public:
  explicit TestReplies(TestCall& call) : end_(detail::Access::core(call)) {}
  TestReplies(const TestReplies&) = delete;
  TestReplies& operator=(const TestReplies&) = delete;
  ~TestReplies() = default;

  /// Calls `on_write` with each reply after it was taken, in the handler's write(): there the test
  /// may add a request, or cancel the call of a handler without an end of its own. Before the
  /// handler is called.
  void on_write(UniqueFunction<void(const Reply&)> on_write) {
    end_.call().set_on_write(
        [on_write = std::move(on_write)](const google::protobuf::MessageLite& reply) mutable {
          on_write(static_cast<const Reply&>(reply));
        });
  }
  /// What was written so far, in order.
  std::vector<Reply> written() const {
    std::vector<Reply> replies;
    for (const std::string& message : end_.call().written())
      replies.emplace_back().ParseFromString(message);
    return replies;
  }

  /// What the handler is called with.
  operator ServerWriter<Reply>&() { return end_.awaited(); }
  operator BlockingWriter<Reply>&() { return end_.blocking(); }

 private:
  detail::TestStreamEnd<BlockingWriter<Reply>, ServerWriter<Reply>> end_;
};

}  // namespace testing
}  // namespace nearcall::inline v0

#pragma GCC visibility pop

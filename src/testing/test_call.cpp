// SPDX-License-Identifier: Apache-2.0
// A call without a server.
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_call.hpp>

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <stop_token>

namespace nearcall::inline v0::testing {
namespace {

Task<EventLoop*> current_loop() {
  co_return EventLoop::current();
}

/// The one that sync_wait() drives on this thread, or that it is inside of.
EventLoop& loop_of_this_thread() {
  EventLoop* const running = EventLoop::running();
  return running != nullptr ? *running : *sync_wait(current_loop());
}

void add(Metadata& to, std::string_view key, std::string_view value) {
  if (const Result<void> added = to.add(key, value); !added)
    throw std::logic_error("TestCall: " + std::string(added.error().message()));
}

}  // namespace

class TestCall::Core final : public detail::TestCallCore,
                             private detail::ServerCallView,
                             private detail::BlockingStream {
 public:
  ServerContext& context() noexcept { return context_; }
  void cancel();
  void stop_server() {
    stopping_.request_stop();
    ending_.request_stop();
  }

  // TestCallCore

  detail::BlockingStream& blocking() noexcept override { return *this; }
  detail::MessageStream& awaited() override;
  void add_request(std::string message) override;
  void end_requests() override;
  void set_on_write(Written on_write) override { on_write_ = std::move(on_write); }
  std::vector<std::string> written() const override {
    const std::lock_guard lock(mutex_);
    return written_;
  }

  PeerIdentity peer_value = PeerIdentity::own("inproc:test", ::getpid());
  std::string method_value = "/test.Service/Method";
  std::string authority_value = "localhost";
  Metadata metadata_value;
  std::chrono::steady_clock::time_point deadline_value =
      std::chrono::steady_clock::time_point::max();
  Metadata headers;
  Metadata trailers;
  bool were_headers_sent = false;

 private:
  // ServerCallView

  const PeerIdentity& peer() const noexcept override { return peer_value; }
  std::string_view method() const noexcept override { return method_value; }
  std::string_view authority() const noexcept override { return authority_value; }
  const Metadata& metadata() const noexcept override { return metadata_value; }
  std::chrono::steady_clock::time_point deadline() const noexcept override {
    return deadline_value;
  }
  bool is_cancelled() const noexcept override { return is_over_; }
  std::stop_token cancellation() override { return cancelled_.get_token(); }
  std::stop_token server_stopping() const override { return stopping_.get_token(); }
  std::stop_token ending() override;
  void add_header(std::string_view key, std::string_view value) override;
  void add_trailer(std::string_view key, std::string_view value) override;
  void send_headers() override {
    const std::lock_guard lock(mutex_);
    were_headers_sent = true;
  }
  void set_compression(const Codec& /*codec*/) override {}
  google::protobuf::Arena& arena() override { return arena_; }

  // BlockingStream

  bool read(google::protobuf::MessageLite& into) override { return read(into, std::stop_token()); }
  bool read(google::protobuf::MessageLite& into, const std::stop_token& stop) override;
  bool write(const google::protobuf::MessageLite& message, bool may_compress) override;

  void take(const google::protobuf::MessageLite& message);

  google::protobuf::Arena arena_;
  std::atomic<bool> is_over_{false};
  std::stop_source cancelled_;
  std::stop_source stopping_;
  std::stop_source ending_;
  ServerContext context_ =
      detail::Access::make<ServerContext>(static_cast<detail::ServerCallView&>(*this));
  Written on_write_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_, as headers and trailers are.
  std::deque<std::string> requests_;
  bool have_requests_ended_ = false;
  std::vector<std::string> written_;
  /// Where coroutines read and write, once there is one that does.
  std::optional<detail::LooseStream> loose_;
};

std::stop_token TestCall::Core::ending() {
  if (EventLoop::running() == nullptr) {
    throw std::logic_error(
        "TestCall: until_ending() is for coroutines; a function asks is_cancelled(), or waits with "
        "the token of cancellation() or server_stopping()");
  }
  return ending_.get_token();
}

void TestCall::Core::add_header(std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  if (were_headers_sent) {
    throw std::logic_error("TestCall: a header after the headers were sent: " + std::string(key));
  }
  add(headers, key, value);
}

void TestCall::Core::add_trailer(std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  add(trailers, key, value);
}

/// As at a server: first is_cancelled() says so, then reads and writes end, then the tokens tell.
void TestCall::Core::cancel() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  if (loose_) loose_->close();
  cancelled_.request_stop();
  ending_.request_stop();
}

// ---- streams ------------------------------------------------------------------------------------

void TestCall::Core::add_request(std::string message) {
  if (loose_) return loose_->arrive(message);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(message));
  }
  changed_.notify_all();
}

void TestCall::Core::end_requests() {
  if (loose_) return loose_->finish();
  {
    const std::lock_guard lock(mutex_);
    have_requests_ended_ = true;
  }
  changed_.notify_all();
}

detail::MessageStream& TestCall::Core::awaited() {
  if (!loose_) {
    loose_.emplace(loop_of_this_thread(),
                   [this](const google::protobuf::MessageLite& message) { take(message); });
    for (const std::string& request : requests_)
      loose_->arrive(request);
    requests_.clear();
    if (have_requests_ended_) loose_->finish();
    if (is_over_) loose_->close();
  }
  return loose_->stream();
}

bool TestCall::Core::read(google::protobuf::MessageLite& into, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop,
                [this] { return is_over_ || have_requests_ended_ || !requests_.empty(); });
  if (is_over_ || requests_.empty()) return false;
  const bool is_parsed = into.ParseFromString(requests_.front());
  requests_.pop_front();
  return is_parsed;
}

bool TestCall::Core::write(const google::protobuf::MessageLite& message, bool /*may_compress*/) {
  if (is_over_) return false;
  take(message);
  return true;
}

void TestCall::Core::take(const google::protobuf::MessageLite& message) {
  {
    const std::lock_guard lock(mutex_);
    were_headers_sent = true;
    written_.push_back(message.SerializeAsString());
  }
  if (on_write_) on_write_(message);
}

// ---- what the header declares -------------------------------------------------------------------

TestCall::TestCall() : core_(std::make_unique<Core>()) {
}

TestCall::~TestCall() = default;

TestCall::Core& TestCall::core() const noexcept {
  return static_cast<Core&>(*core_);
}

ServerContext& TestCall::context() noexcept {
  return core().context();
}

void TestCall::set_peer(PeerIdentity peer) {
  core().peer_value = std::move(peer);
}

void TestCall::set_method(std::string method) {
  core().method_value = std::move(method);
}

void TestCall::set_authority(std::string authority) {
  core().authority_value = std::move(authority);
}

void TestCall::set_deadline(std::chrono::steady_clock::time_point deadline) {
  core().deadline_value = deadline;
}

void TestCall::add_metadata(std::string_view key, std::string_view value) {
  add(core().metadata_value, key, value);
}

void TestCall::cancel() {
  core().cancel();
}

void TestCall::stop_server() {
  core().stop_server();
}

const Metadata& TestCall::headers() const noexcept {
  return core().headers;
}

const Metadata& TestCall::trailers() const noexcept {
  return core().trailers;
}

bool TestCall::were_headers_sent() const noexcept {
  return core().were_headers_sent;
}

}  // namespace nearcall::inline v0::testing

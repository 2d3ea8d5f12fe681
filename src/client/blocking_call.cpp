// SPDX-License-Identifier: Apache-2.0
// Starting, driving and ending a call that threads wait for.
#include "client/blocking_call.hpp"

#include <nearcall/event_loop.hpp>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

Status late() {
  return Status(StatusCode::deadline_exceeded, "the deadline passed");
}

Status cancelled() {
  return Status(StatusCode::cancelled, "the call was cancelled");
}

/// Why a thread may not wait here, or OK.
Status check_thread(const BoundMethod& method) {
  if (EventLoop::running() == nullptr) return Status();
  return Status(StatusCode::failed_precondition,
                std::string(method.method.path) +
                    ": a blocking call on a thread that runs an EventLoop would wait for itself; "
                    "use the Async form and co_await it")
      .with_reason(StatusReason::misuse);
}

}  // namespace

BlockingCall::BlockingCall(Backend& backend, const BoundMethod& method, const CallOptions& options)
    : backend_(&backend),
      call_(*this, method, options, backend.options().max_receive_message_size(), Clock()) {
}

BlockingCall::~BlockingCall() {
  cancellation_.reset();
  if (has_connection()) leave(connection_->lock());
}

void BlockingCall::leave(Lock lock) {
  call_.messages().set_blocking_reader(nullptr);
  call_.drop();
  connection_->flush();
  const http2::Session::OpenState state = connection_->client().open_state();
  backend_->put_back(let_go(lock), state, call_.now());
}

// ---- beginning ----------------------------------------------------------------------------------

void BlockingCall::start(const google::protobuf::MessageLite* request, const CallOptions& options) {
  kept_backend_ = backend_->shared_from_this();
  if (request != nullptr) call_.keep_request(*request);
  Lock lock;
  if (prepare(options)) begin(lock);
}

bool BlockingCall::prepare(const CallOptions& options) {
  Status obstacle = check_thread(call_.method());
  if (obstacle.ok()) obstacle = backend_->misuse();
  if (!call_.check(options, std::move(obstacle))) return false;
  if (options.cancellation().stop_possible()) {
    cancellation_.emplace(options.cancellation(), Cancel{this});
  }
  return true;
}

void BlockingCall::begin(Lock& lock) {
  std::shared_ptr<BlockingConnection> none;
  if (open(lock, none)) begin_once_more(lock);
}

/// The connection that did not take it, if it lives, is put back only when there is another one: it
/// would be the first to be taken, and it is the last resort.
void BlockingCall::begin_once_more(Lock& lock) {
  wants_repeat_ = false;
  const http2::Session::OpenState state = connection_->client().open_state();
  std::shared_ptr<BlockingConnection> first = let_go(lock);
  if (state == http2::Session::OpenState::closed) {
    backend_->put_back(std::move(first), state, call_.now());
  }
  open(lock, first);
  if (first != nullptr) backend_->put_back(std::move(first), state, call_.now());
}

bool BlockingCall::open(Lock& lock, std::shared_ptr<BlockingConnection>& last_resort) {
  if (was_cancelled()) {
    call_.cancel();
    return false;
  }
  Result<std::shared_ptr<BlockingConnection>> taken = find_connection(lock, last_resort);
  if (!taken) {
    call_.on_failed(std::move(taken).error());
    return false;
  }
  bool is_cancelled = false;
  if (is_shared() && lock) lock.unlock();
  {
    const auto guard = lock_place();
    connection_ = *std::move(taken);
    is_cancelled = is_cancelled_;
  }
  if (!lock) lock = connection_->lock();
  if (is_cancelled) call_.cancel();
  const auto is_over = [this] { return call_.is_over(); };
  if (!connection_->wait_for_room(lock, reader_, call_.deadline(), is_over)) call_.expire();
  if (!call_.is_over()) send();
  if (wants_repeat_) return !call_.is_over();
  if (!call_.has_one_request()) call_.requests_are_gone();
  return false;
}

void BlockingCall::send() {
  ClientConnection& client = connection_->client();
  if (client.open_state() != http2::Session::OpenState::ready) {
    return call_.on_unsent(client.lost_status());
  }
  call_.open(client, /*loop=*/nullptr);
  connection_->flush();
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::find_connection(
    Lock& lock, std::shared_ptr<BlockingConnection>& last_resort) {
  using Want = Backend::Want;
  Want want = call_.has_one_request() ? Want::any : Want::fit;
  if (call_.has_repeated()) want = Want::fresh;
  if (std::shared_ptr<BlockingConnection> taken = backend_->take(lock, want)) return taken;
  Result<std::shared_ptr<BlockingConnection>> made = connect();
  if (made || last_resort == nullptr || was_cancelled() || call_.now() >= call_.deadline()) {
    return made;
  }
  return std::move(last_resort);
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::connect() {
  std::stop_source attempt;
  {
    const auto guard = lock_place();
    attempt_ = attempt;
    if (is_cancelled_) attempt.request_stop();
  }
  Result<std::shared_ptr<BlockingConnection>> made =
      backend_->connect(call_.deadline(), attempt.get_token());
  if (made) return made;
  if (was_cancelled()) return Failure{cancelled()};
  if (call_.now() >= call_.deadline()) return Failure{late()};
  return made;
}

void BlockingCall::on_repeat() {
  wants_repeat_ = true;
  on_ready();
}

std::shared_ptr<BlockingConnection> BlockingCall::let_go(Lock& lock) {
  call_.stop_borrowing(connection_->client());
  lock.unlock();
  const auto guard = lock_place();
  return std::move(connection_);
}

bool BlockingCall::has_connection() {
  if (connection_ == nullptr) return false;
  if (connection_->is_in_maker()) return true;
  call_.finish(Status(StatusCode::unavailable, "the call is that of the parent process"));
  return false;
}

// ---- waiting ------------------------------------------------------------------------------------

template <class Done>
void BlockingCall::wait(Lock& lock, BlockedThread& thread, const Done& is_done) {
  for (;;) {
    const bool in_time = connection_->wait(lock, thread, call_.deadline(), [&] {
      return is_done() || call_.is_over() || wants_repeat_;
    });
    if (!in_time) {
      call_.expire();
      connection_->flush();
    }
    if (call_.is_over() || !wants_repeat_) return;
    begin_once_more(lock);
    if (connection_ == nullptr) return;  // it is over
  }
}

void BlockingCall::wait_for_end(Lock& lock) {
  wait(lock, reader_, [this] { return call_.is_over(); });
}

Status BlockingCall::run_unary(const google::protobuf::MessageLite& request,
                               const CallOptions& options,
                               google::protobuf::MessageLite& reply) {
  call_.expect_reply(reply);
  call_.borrow_request(request);
  if (!prepare(options)) return call_.status();
  Lock lock;
  begin(lock);
  if (connection_ == nullptr) return call_.status();
  wait_for_end(lock);
  if (connection_ != nullptr && !is_shared()) leave(std::move(lock));
  return call_.reply_status();
}

bool BlockingCall::read(google::protobuf::MessageLite& into) {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  MessageStream& messages = call_.messages();
  const MessageStream::Read outcome = messages.try_read(into);
  connection_->flush_credit();  // nobody else may do it before the server needs it
  if (outcome != MessageStream::Read::pending) return outcome == MessageStream::Read::message;
  messages.set_blocking_reader(&into);
  wait(lock, reader_, [&messages] { return !messages.has_blocking_reader(); });
  messages.set_blocking_reader(nullptr);
  return messages.take_blocking_read();
}

bool BlockingCall::write(const google::protobuf::MessageLite& message) {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  using Write = MessageStream::Write;
  Write written = call_.messages().try_write(message);
  if (written == Write::full) {
    const std::size_t size = grpc::OutgoingMessage(message).size();
    wait(lock, writer_,
         [this, size] { return call_.is_over() || call_.messages().is_writable(size); });
    written = call_.messages().try_write(message);
  }
  if (written != Write::taken) return false;
  connection_->exchange(lock);
  return true;
}

bool BlockingCall::half_close() {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  const bool was_open = call_.half_close();
  connection_->flush();
  return was_open;
}

Status BlockingCall::finish() {
  if (!has_connection()) return call_.status();
  Lock lock = connection_->lock();
  if (!call_.is_over()) {
    call_.messages().discard_input();
    connection_->flush();
    wait_for_end(lock);
  }
  return call_.status();
}

const Metadata& BlockingCall::headers() {
  if (!has_connection()) return call_.headers();
  Lock lock = connection_->lock();
  wait(lock, reader_, [this] { return call_.has_headers(); });
  return call_.headers();
}

const Metadata& BlockingCall::trailers() {
  if (!has_connection()) return call_.trailers();
  const Lock lock = connection_->lock();
  return call_.trailers();
}

void BlockingCall::cancel() noexcept {
  std::stop_source attempt(std::nostopstate);
  {
    const std::lock_guard guard(place_);
    is_cancelled_ = true;
    if (has_connection()) {
      const Lock lock = connection_->lock();
      if (call_.is_over()) return;
      call_.cancel();
      connection_->flush();
      return;
    }
    attempt = attempt_;
  }
  attempt.request_stop();
}

bool BlockingCall::was_cancelled() {
  const auto guard = lock_place();
  return is_cancelled_;
}

std::unique_lock<std::mutex> BlockingCall::lock_place() {
  return is_shared() ? std::unique_lock(place_) : std::unique_lock<std::mutex>();
}

void BlockingCall::on_ready() {
  if (connection_ == nullptr) return;
  connection_->notify(reader_);
  if (writer_.is_linked()) connection_->notify(writer_);
}

}  // namespace nearcall::inline v0::detail

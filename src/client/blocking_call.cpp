// SPDX-License-Identifier: Apache-2.0
// Starting, driving and ending a call that threads wait for.
#include "client/blocking_call.hpp"

#include "base/check.hpp"

#include <nearcall/event_loop.hpp>

#include <utility>

namespace nearcall::detail {
namespace {

Status late() {
  return Status(StatusCode::deadline_exceeded, "the deadline passed");
}

Status cancelled() {
  return Status(StatusCode::cancelled, "the call was cancelled");
}

bool has_passed(const CallOptions& options) {
  if (options.timeout() && *options.timeout() <= Duration::zero()) return true;
  return options.deadline() != no_deadline && options.deadline() <= SteadyClock::now();
}

/// Why a thread may not wait here, or OK.
Status check_thread(const BoundMethod& method) {
  if (EventLoop::current() == nullptr) return Status();
  return Status(StatusCode::failed_precondition,
                std::string(method.method.path) +
                    ": a blocking call on a thread that runs an EventLoop would wait for itself; "
                    "use the Async form and co_await it");
}

}  // namespace

BlockingCall::BlockingCall(const BoundMethod& method,
                           const CallOptions& options,
                           std::size_t max_message_size)
    : ClientCall(method, options, max_message_size) {
}

BlockingCall::~BlockingCall() {
  cancellation_.reset();
  if (has_connection()) leave(connection_->lock());
}

void BlockingCall::leave(Lock lock) {
  messages().set_blocking_reader(nullptr);
  if (!is_over()) ClientCall::finish(Status(StatusCode::cancelled, "the call was dropped"));
  connection_->flush();
  const http2::Session::OpenState state = connection_->client().open_state();
  channel_->put_back(let_go(lock), state, SteadyClock::now());
}

// ---- beginning ----------------------------------------------------------------------------------

void BlockingCall::start(std::shared_ptr<const BoundMethods> methods,
                         const google::protobuf::MessageLite* request,
                         const CallOptions& options) {
  methods_ = std::move(methods);
  if (request != nullptr) {
    if (Status refused = kept_request_.keep(*request); !refused.ok()) {
      return ClientCall::finish(std::move(refused));
    }
  }
  Lock lock;
  if (prepare(methods_->channel(), options)) begin(lock);
}

bool BlockingCall::prepare(ChannelCore& channel, const CallOptions& options) {
  channel_ = &channel;
  Status refused = check_thread(method());
  if (refused.ok()) refused = options.misuse();
  if (refused.ok()) refused = channel.misuse();
  if (refused.ok() && has_passed(options)) {
    refused = Status(StatusCode::deadline_exceeded, "the deadline passed before the call began");
  }
  if (!refused.ok()) {
    ClientCall::finish(std::move(refused));
    return false;
  }
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
  repeat_ = Repeat::spent;
  const http2::Session::OpenState state = connection_->client().open_state();
  std::shared_ptr<BlockingConnection> first = let_go(lock);
  if (state == http2::Session::OpenState::closed) {
    channel_->put_back(std::move(first), state, SteadyClock::now());
  }
  open(lock, first);
  if (first != nullptr) channel_->put_back(std::move(first), state, SteadyClock::now());
}

bool BlockingCall::open(Lock& lock, std::shared_ptr<BlockingConnection>& last_resort) {
  if (was_cancelled()) {
    ClientCall::finish(cancelled());
    return false;
  }
  Result<std::shared_ptr<BlockingConnection>> taken = find_connection(lock, last_resort);
  if (!taken) {
    ClientCall::finish(std::move(taken).error());
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
  if (is_cancelled) ClientCall::finish(cancelled());
  if (!connection_->wait_for_room(lock, reader_, deadline(), [this] { return is_over(); })) {
    ClientCall::finish(late());
  }
  if (!is_over()) send_request();
  if (repeat_ == Repeat::wanted) return !is_over();
  if (!has_request() && repeat_ == Repeat::allowed) repeat_ = Repeat::impossible;
  return false;
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::find_connection(
    Lock& lock, std::shared_ptr<BlockingConnection>& last_resort) {
  using Want = ChannelCore::Want;
  Want want = has_request() ? Want::any : Want::fit;
  if (repeat_ == Repeat::spent) want = Want::fresh;
  if (std::shared_ptr<BlockingConnection> taken = channel_->take(lock, want)) return taken;
  Result<std::shared_ptr<BlockingConnection>> made = connect();
  if (made || last_resort == nullptr || was_cancelled() || SteadyClock::now() >= deadline()) {
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
      channel_->connect(deadline(), attempt.get_token());
  if (made) return made;
  if (was_cancelled()) return Failure{cancelled()};
  if (SteadyClock::now() >= deadline()) return Failure{late()};
  return made;
}

void BlockingCall::send_request() {
  ClientConnection& client = connection_->client();
  if (client.open_state() != http2::Session::OpenState::ready) {
    return on_not_begun(client.lost_status());
  }
  ClientCall::open(client, /*loop=*/nullptr, /*end_stream=*/false);
  if (unary_request_ != nullptr) {
    messages().try_write(*unary_request_, unary_request_->ByteSizeLong(), &loan_,
                         /*end_stream=*/true);
  } else if (kept_request_.is_kept()) {
    // Not shared with the session, which other threads may drive: a large one is copied.
    messages().write_framed(kept_request_.bytes(), /*end_stream=*/true);
  }
  connection_->flush();
}

ClientCall::Again BlockingCall::begin_again() {
  if (repeat_ == Repeat::impossible) return Again::requests_are_gone;
  if (repeat_ != Repeat::allowed) return Again::no;
  repeat_ = Repeat::wanted;
  on_ready();
  return Again::yes;
}

std::shared_ptr<BlockingConnection> BlockingCall::let_go(Lock& lock) {
  if (loan_.is_used()) {
    connection_->client().session().copy_from(loan_);
    CHECK(!loan_.is_used() && "the call's stream is released");
  }
  lock.unlock();
  const auto guard = lock_place();
  return std::move(connection_);
}

bool BlockingCall::has_connection() {
  if (connection_ == nullptr) return false;
  if (connection_->is_in_maker()) return true;
  ClientCall::finish(Status(StatusCode::unavailable, "the call is that of the parent process"));
  return false;
}

// ---- waiting ------------------------------------------------------------------------------------

template <class Done>
void BlockingCall::wait(Lock& lock, BlockedThread& thread, const Done& is_done) {
  for (;;) {
    const bool in_time = connection_->wait(lock, thread, deadline(), [&] {
      return is_done() || is_over() || repeat_ == Repeat::wanted;
    });
    if (!in_time) {
      ClientCall::finish(late());
      connection_->flush();
    }
    if (is_over() || repeat_ != Repeat::wanted) return;
    begin_once_more(lock);
    if (connection_ == nullptr) return;  // it is over
  }
}

Status BlockingCall::run_unary(ChannelCore& channel,
                               const google::protobuf::MessageLite& request,
                               const CallOptions& options,
                               google::protobuf::MessageLite& reply) {
  messages().expect_one();
  messages().set_blocking_reader(&reply);
  unary_request_ = &request;
  if (!prepare(channel, options)) return status();
  Lock lock;
  begin(lock);
  if (connection_ == nullptr) return status();
  wait(lock, reader_, [this] { return is_over(); });
  if (connection_ != nullptr && !is_shared()) leave(std::move(lock));
  if (!status().ok()) return status();
  if (!messages().take_blocking_read()) {
    return Status(StatusCode::unimplemented, "the server sent no reply message");
  }
  if (messages().has_unread()) {
    return Status(StatusCode::unimplemented, "the server sent more than one reply message");
  }
  return Status();
}

bool BlockingCall::read(google::protobuf::MessageLite& into) {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  using Read = MessageStream::Read;
  const Read outcome = messages().try_read(into);
  connection_->flush_credit();  // nobody else may do it before the server needs it
  if (outcome != Read::pending) return outcome == Read::message;
  messages().set_blocking_reader(&into);
  wait(lock, reader_, [this] { return !messages().has_blocking_reader(); });
  messages().set_blocking_reader(nullptr);
  return messages().take_blocking_read();
}

bool BlockingCall::write(const google::protobuf::MessageLite& message) {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  wait(lock, writer_, [this] { return is_over() || messages().is_writable(); });
  if (messages().try_write(message) != MessageStream::Write::taken) return false;
  connection_->exchange(lock);
  return true;
}

bool BlockingCall::half_close() {
  if (!has_connection()) return false;
  Lock lock = connection_->lock();
  const bool was_open = ClientCall::half_close();
  connection_->flush();
  return was_open;
}

Status BlockingCall::finish() {
  if (!has_connection()) return status();
  Lock lock = connection_->lock();
  if (!is_over()) {
    messages().discard_input();
    connection_->flush();
    wait(lock, reader_, [this] { return is_over(); });
  }
  return status();
}

const Metadata& BlockingCall::headers() {
  if (!has_connection()) return ClientCall::headers();
  Lock lock = connection_->lock();
  wait(lock, reader_, [this] { return has_headers(); });
  return ClientCall::headers();
}

const Metadata& BlockingCall::trailers() {
  if (!has_connection()) return ClientCall::trailers();
  const Lock lock = connection_->lock();
  return ClientCall::trailers();
}

void BlockingCall::cancel() noexcept {
  std::stop_source attempt(std::nostopstate);
  {
    const std::lock_guard guard(place_);
    is_cancelled_ = true;
    if (has_connection()) {
      const Lock lock = connection_->lock();
      if (is_over()) return;
      ClientCall::finish(cancelled());
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

void BlockingCall::on_change() {
  if (has_headers()) kept_request_.drop();
  on_ready();
}

void BlockingCall::on_ready() {
  if (connection_ == nullptr) return;
  connection_->notify(reader_);
  if (writer_.is_linked()) connection_->notify(writer_);
}

}  // namespace nearcall::detail

// SPDX-License-Identifier: Apache-2.0
// Starting, driving and ending a call that threads wait for.
#include "client/blocking_call.hpp"

#include "async/cancel_event.hpp"
#include "client/balancer.hpp"
#include "client/server_wait.hpp"

#include <nearcall/event_loop.hpp>

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

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
    : backend_(&backend), call_(*this, method, options, backend.options(), backend.clock()) {
}

BlockingCall::~BlockingCall() {
  cancellation_.reset();
  if (rare_ != nullptr) [[unlikely]]
    rare_->cancellation_of_served.reset();
  if (has_connection()) leave(connection_->begin_turn());
  around_.reset();  // its copy of the request may be borrowed until then
}

void BlockingCall::leave(Turn turn) {
  call_.messages().in().leave();
  call_.drop();
  const http2::Session::OpenState state = connection_->client().open_state();
  const TimePoint now = connection_->last_look();
  backend_->put_back(release_connection(turn), state, now);
}

// ---- beginning ----------------------------------------------------------------------------------

void BlockingCall::start(const google::protobuf::MessageLite* request, const CallOptions& options) {
  kept_backend_ = backend_->shared_from_this();
  if (request != nullptr) call_.keep_request(*request);
  if (call_.may_be_retried()) [[unlikely]]
    make_moves(/*streams_requests=*/request == nullptr);
  Turn turn;
  if (prepare(options)) begin(turn);
}

void BlockingCall::make_moves(bool streams_requests) {
  if (streams_requests || call_.hedging() != nullptr) moves_ = std::make_unique<Moves>();
}

bool BlockingCall::prepare(const CallOptions& options) {
  Status obstacle = check_thread(call_.method());
  if (obstacle.ok()) obstacle = backend_->misuse();
  if (!call_.check(options, std::move(obstacle))) return false;
  if (options.cancellation().stop_possible()) {
    CancelEvent::catch_up();
    cancellation_.emplace(options.cancellation(), Cancel{this});
  }
  if (options.cancellation_of_served().stop_possible()) [[unlikely]]
    rare().cancellation_of_served.emplace(options.cancellation_of_served(), Cancel{this});
  return true;
}

void BlockingCall::begin(Turn& turn) {
  std::shared_ptr<BlockingConnection> none;
  if (open(turn, reader_, none)) begin_again(turn, reader_);
}

/// The connection that did not take the call, if there is one and it is not closed, is put back
/// only after another one was looked for: take() would find it first. It is used again if there is
/// no other.
void BlockingCall::begin_again(Turn& turn, BlockedThread& thread) {
  bool is_to_be_opened = true;
  while (is_to_be_opened) {
    if (connection_ != nullptr) begin_move(turn);
    if (call_.is_over()) break;
    wants_repeat_ = false;
    wants_fresh_ = !repeat_at_;
    Resort first = leave_for_next(turn);
    is_to_be_opened = pause_before_repeat() && open(turn, thread, first.connection);
    if (first.connection != nullptr) {
      backend_->put_back(std::move(first.connection), first.state, call_.now());
    }
  }
  end_move(turn);
}

BlockingCall::Resort BlockingCall::leave_for_next(Turn& turn) {
  Resort left;
  if (connection_ == nullptr) return left;
  left.state = connection_->client().open_state();
  left.connection = release_connection(turn);
  Membership* const membership = backend_->membership();
  if (left.state == http2::Session::OpenState::closed || repeat_at_ || membership != nullptr) {
    Backend& of_it = *backend_;
    if (membership != nullptr) backend_ = membership->front_here();  // `left` keeps the other
    of_it.put_back(std::move(left.connection), left.state, call_.now());
  }
  return left;
}

bool BlockingCall::pause_before_repeat() {
  const TimePoint now = call_.now();
  const TimePoint due = repeat_at_ ? *repeat_at_ : now + call_.repeat_pause();
  if (due <= now) return true;
  sleep_until(std::min(due, call_.deadline()), begin_stoppable().get_token());
  if (was_cancelled()) {
    call_.cancel();
  } else if (call_.now() >= call_.deadline()) {
    call_.fail_late();
  }
  return !call_.is_over();
}

bool BlockingCall::open(Turn& turn,
                        BlockedThread& thread,
                        std::shared_ptr<BlockingConnection>& last_resort) {
  if (was_cancelled()) {
    call_.cancel();
    return false;
  }
  Result<std::shared_ptr<BlockingConnection>> taken = find_connection(turn, last_resort);
  if (!taken) {
    // A server that goes has taken nothing, and another one may have its name.
    if (taken.error().reason() == StatusReason::server_stopping) {
      call_.on_unsent(std::move(taken).error());
    } else {
      call_.on_failed(std::move(taken).error());
    }
    return wants_repeat_;
  }
  bool is_cancelled = false;
  if (is_shared()) turn.finish();  // place_ comes first
  {
    const auto guard = lock_place();
    connection_ = *std::move(taken);
    is_cancelled = is_cancelled_;
    if (moves_ != nullptr) moves_->is_moving = false;
  }
  if (moves_ != nullptr) moves_->moved.notify_all();
  if (!turn) turn = connection_->begin_turn();
  if (is_cancelled) call_.cancel();
  const auto is_over = [this] { return call_.is_over(); };
  // Else it is known only later that it goes, or is not there.
  const bool hears_word = !call_.has_one_request() || call_.waits_for_ready();
  if (!connection_->wait_for_room(turn, thread, call_.deadline(), hears_word, is_over)) {
    call_.fail_late();
  }
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
  call_.open(client, /*loop=*/nullptr, connection_->last_look());
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::find_connection(
    Turn& turn, std::shared_ptr<BlockingConnection>& last_resort) {
  using Want = Backend::Want;
  Want want = call_.has_one_request() ? Want::any : Want::fit;
  if (wants_fresh_) want = Want::fresh;
  for (;;) {
    if (std::shared_ptr<BlockingConnection> taken = backend_->take(turn, want)) return taken;
    if (backend_->group() != nullptr) return find_balanced(turn, want);
    Result<std::shared_ptr<BlockingConnection>> made = connect();
    if (made && *made == nullptr) continue;
    if (made || last_resort == nullptr || was_cancelled() || call_.now() >= call_.deadline()) {
      return made;
    }
    return std::move(last_resort);
  }
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::connect() {
  const std::stop_token stop = begin_stoppable().get_token();
  const TimePoint deadline = call_.deadline();
  Result<std::shared_ptr<BlockingConnection>> made =
      call_.waits_for_ready()
          ? backend_->connect_when_ready({.attempt = deadline, .until = deadline}, stop)
          : backend_->connect(deadline, stop);
  if (made) return made;
  return fail_to_connect(made.error());
}

Failure<Status> BlockingCall::fail_to_connect(const Status& why) {
  if (was_cancelled()) return Failure{cancelled()};
  if (call_.now() < call_.deadline()) return Failure{why};
  if (call_.waits_for_ready()) call_.note_obstacle(why);
  return Failure{call_.late()};
}

Result<std::shared_ptr<BlockingConnection>> BlockingCall::find_balanced(Turn& turn,
                                                                        Backend::Want want) {
  const TimePoint deadline = call_.deadline();
  const Balancer::Search search{
      .request = Access::make<PickRequest>(call_.method().method.path, call_.request_metadata()),
      .want = want,
      .patience = {.attempt = deadline, .until = deadline},
      .waits = call_.waits_for_ready(),
      .stop = begin_stoppable().get_token()};
  Result<Balancer::Found> found = Balancer::of(*backend_)->connect(turn, search);
  if (!found) return fail_to_connect(found.error());
  backend_ = found->backend.get();
  auto kept = std::make_shared<Balancer::Found>(*std::move(found));
  BlockingConnection* const connection = kept->connection.get();
  return std::shared_ptr<BlockingConnection>(std::move(kept), connection);
}

std::stop_source BlockingCall::begin_stoppable() {
  std::stop_source stoppable;
  const auto guard = lock_place();
  attempt_ = stoppable;
  if (is_cancelled_) stoppable.request_stop();
  return stoppable;
}

void BlockingCall::on_repeat(std::optional<TimePoint> at) {
  wants_repeat_ = true;
  repeat_at_ = at;
  on_change();
}

std::shared_ptr<BlockingConnection> BlockingCall::release_connection(Turn& turn) {
  call_.stop_borrowing(connection_->client());
  turn.finish();
  const auto guard = lock_place();
  return std::move(connection_);
}

bool BlockingCall::has_connection() {
  if (connection_ == nullptr) return false;
  if (connection_->is_in_maker()) return true;
  call_.fail(Status(StatusCode::unavailable, "the call is that of the parent process")
                 .with_reason(StatusReason::misuse));
  return false;
}

// ---- waiting ------------------------------------------------------------------------------------

bool BlockingCall::enter(Turn& turn) {
  if (moves_ == nullptr) {
    if (!has_connection()) return false;
    turn = connection_->begin_turn();
    return true;
  }
  std::unique_lock place(place_);
  for (;;) {
    moves_->moved.wait(place, [this] { return !moves_->is_moving; });
    if (!has_connection()) return false;
    turn = connection_->begin_turn();
    if (!moves_->is_moving) return true;
    turn.finish();
  }
}

/// Not by driving the connection, which may have ended.
void BlockingCall::begin_move(Turn& turn) {
  if (moves_ == nullptr) return;
  moves_->is_moving = true;
  on_change();
  turn.finish();
  while (const int inside = moves_->inside)
    moves_->inside.wait(inside);
  turn = connection_->begin_turn();
}

void BlockingCall::end_move(Turn& turn) {
  if (!is_moving()) return;
  turn.finish();  // place_ comes first
  {
    const std::lock_guard guard(place_);
    moves_->is_moving = false;
  }
  moves_->moved.notify_all();
  if (connection_ != nullptr) turn = connection_->begin_turn();
}

template <class Done>
void BlockingCall::wait(Turn& turn, BlockedThread& thread, const Done& is_done) {
  if (is_done()) return;
  if (Status obstacle = check_thread(call_.method()); !obstacle.ok()) {
    return call_.fail(std::move(obstacle));  // the loop runs since the call was made
  }
  for (;;) {
    TimePoint until = call_.deadline();
    if (moves_ != nullptr) {
      ++moves_->inside;
      until = std::min(until, next_hedge());
    }
    const bool in_time = connection_->wait(turn, thread, until, [&] {
      return is_done() || call_.is_over() || wants_repeat_ || has_other_plans(until);
    });
    if (moves_ != nullptr) {
      --moves_->inside;
      moves_->inside.notify_all();
    }
    if (!in_time && call_.now() >= call_.deadline()) call_.fail_late();
    if (is_moving()) {
      turn.finish();
      if (!enter(turn)) return;  // it is over
    }
    if (call_.is_over() || (!wants_repeat_ && is_done())) return;
    if (wants_repeat_) {
      begin_again(turn, thread);
    } else if (moves_ != nullptr) {
      begin_hedge_if_due();
    }
    if (connection_ == nullptr) return;  // it is over
  }
}

/// All attempts of a call that are under way are on the connection that its threads drive.
void BlockingCall::begin_hedge_if_due() {
  if (next_hedge() > call_.now()) return;
  ClientConnection& client = connection_->client();
  if (client.open_state() != http2::Session::OpenState::ready) return call_.hedging()->put_off();
  if (!call_.hedging()->begin_next()) return;
  call_.open(client, /*loop=*/nullptr, connection_->last_look());
}

void BlockingCall::wait_for_end(Turn& turn) {
  wait(turn, reader_, [this] { return call_.is_over(); });
}

Status BlockingCall::run_unary(const google::protobuf::MessageLite& request,
                               const CallOptions& options,
                               google::protobuf::MessageLite& reply,
                               CallInfo* info) {
  if (info != nullptr) *info = CallInfo();
  call_.expect_reply(reply);
  call_.borrow_request(request);
  if (call_.may_be_retried()) [[unlikely]]
    make_moves(/*streams_requests=*/false);
  if (!prepare(options)) return call_.status();
  run(info);
  return call_.reply_status();
}

void BlockingCall::run(CallInfo* info) {
  Turn turn;
  begin(turn);
  if (connection_ != nullptr) wait_for_end(turn);
  if (info != nullptr) fill(*info);
  if (connection_ != nullptr && !is_shared()) leave(std::move(turn));
}

bool BlockingCall::read(google::protobuf::MessageLite& into) {
  if (around_ != nullptr) [[unlikely]]
    return read_intercepted(into);
  return read_message(into);
}

bool BlockingCall::read_message(google::protobuf::MessageLite& into) {
  Turn turn;
  if (!enter(turn)) return false;
  MessageInbox& in = call_.messages().in();
  using Read = MessageInbox::Read;
  if (const Read read = in.try_read(into); read != Read::pending) return read == Read::message;
  in.wait(into, &reader_);
  wait(turn, reader_, [&in] { return !in.is_waited_for(); });
  in.leave();
  return in.take_outcome();
}

bool BlockingCall::write(const google::protobuf::MessageLite& message, bool may_compress) {
  if (around_ != nullptr) [[unlikely]]
    return write_intercepted(message, may_compress);
  return write_message(message, may_compress);
}

bool BlockingCall::write_message(const google::protobuf::MessageLite& message, bool may_compress) {
  Turn turn;
  if (!enter(turn)) return false;
  MessageOutbox& out = call_.messages().out();
  using Write = MessageOutbox::Write;
  const Write written = out.try_write(message, may_compress);
  bool is_taken = written == Write::taken;
  if (written == Write::full) {
    out.wait(message, writer_, may_compress);
    wait(turn, writer_, [&out] { return !out.is_waited_for(); });
    out.leave();
    is_taken = out.take_outcome();
  }
  if (!is_taken) return false;
  if (turn) connection_->take_in(turn);  // else it is over
  return true;
}

bool BlockingCall::half_close() {
  Turn turn;
  if (!enter(turn)) return false;
  return call_.half_close();
}

Status BlockingCall::finish() {
  if (around_ == nullptr) return wait_for_status();
  if (!around_->chain.is_done()) {
    static_cast<void>(wait_for_status());
    {
      const std::lock_guard lock(around_->hooks);
      around_->chain.close_outgoing();
    }
    around_->chain.go_on();
    end_waiting_chain();
  }
  return around_->chain.status();
}

Status BlockingCall::wait_for_status() {
  Turn turn;
  if (!enter(turn)) return call_.status();
  if (!call_.is_over()) {
    call_.messages().in().drop();
    wait_for_end(turn);
  }
  return call_.status();
}

// ---- with interceptors --------------------------------------------------------------------------

void BlockingCall::start_intercepted(const google::protobuf::MessageLite* request,
                                     const CallOptions& options) {
  kept_backend_ = backend_->shared_from_this();
  if (!prepare(options)) return;
  around_ = std::make_unique<Interception>(*this, request);
  around_->chain.start();
  if (!around_->chain.has_begun()) end_waiting_chain();
}

Status BlockingCall::run_intercepted(const google::protobuf::MessageLite& request,
                                     const CallOptions& options,
                                     google::protobuf::MessageLite& reply,
                                     CallInfo* info) {
  if (info != nullptr) *info = CallInfo();
  call_.expect_reply(reply);
  if (!prepare(options)) return call_.status();
  around_ = std::make_unique<Interception>(*this, &request);
  around_->is_unary = true;
  around_->info = info;
  around_->chain.set_reply_place(reply);
  around_->chain.start();
  end_waiting_chain();
  return around_->chain.status();
}

/// No loop runs on this thread that would ever let it go on.
void BlockingCall::end_waiting_chain() {
  if (around_->chain.is_done()) return;
  around_->chain.finish(
      Status(StatusCode::failed_precondition,
             std::string(call_.method().method.path) +
                 ": an interceptor of a blocking call waits for something else than "
                 "proceed(); use the Async form")
          .with_reason(StatusReason::misuse));
}

bool BlockingCall::begin_call(const google::protobuf::MessageLite* request) {
  if (around_->is_unary) {
    call_.borrow_request(*request);
    if (call_.may_be_retried()) make_moves(/*streams_requests=*/false);
    run(around_->info);
    return false;
  }
  if (request != nullptr) call_.keep_request(*request);
  if (call_.may_be_retried()) [[unlikely]]
    make_moves(/*streams_requests=*/request == nullptr);
  Turn turn;
  if (!call_.is_over()) begin(turn);
  return true;
}

/// What the interceptors do not wait for any more ends now.
void BlockingCall::on_chain_done() {
  if (connection_ != nullptr) return cancel();
  if (!call_.is_over()) call_.finish_unsent(around_->chain.status());
}

bool BlockingCall::read_intercepted(google::protobuf::MessageLite& into) {
  if (around_->chain.has_own()) return around_->chain.take_own(into);
  if (!read_message(into)) return false;
  const Status passed = around_->chain.pass_incoming(into);
  if (!passed.ok()) refuse(passed);
  return passed.ok();
}

bool BlockingCall::write_intercepted(const google::protobuf::MessageLite& message,
                                     bool may_compress) {
  const google::protobuf::MessageLite* passed = nullptr;
  {
    const std::lock_guard lock(around_->hooks);
    passed = around_->chain.pass_copy(message);
  }
  if (passed == nullptr) {
    refuse(around_->chain.refusal());
    return false;
  }
  const bool is_taken = write_message(*passed, may_compress);
  around_->chain.end_copy();
  return is_taken;
}

void BlockingCall::refuse(const Status& why) {
  Turn turn;
  if (!enter(turn)) return;
  call_.messages().in().drop();
  call_.fail(why);
}

// ---- beside the messages ------------------------------------------------------------------------

const Metadata& BlockingCall::headers() {
  Turn turn;
  if (!enter(turn)) return call_.headers();
  wait(turn, reader_, [this] { return call_.has_headers(); });
  return call_.headers();
}

const Metadata& BlockingCall::trailers() {
  Turn turn;
  if (!enter(turn)) return call_.trailers();
  return call_.trailers();
}

int BlockingCall::attempts() {
  Turn turn;
  return !enter(turn) || call_.is_over() ? call_.attempts() : 0;
}

PeerIdentity BlockingCall::peer() {
  const auto guard = lock_place();
  return connection_ == nullptr ? PeerIdentity() : connection_->client().pump().peer();
}

/// Under the connection's lock, which comes after place_; only this thread moves the connection.
void BlockingCall::fill(CallInfo& info) {
  info = Access::make<CallInfo>(
      call_.headers(), call_.trailers(),
      connection_ != nullptr ? connection_->client().pump().peer() : PeerIdentity(),
      call_.attempts());
}

void BlockingCall::cancel() noexcept {
  std::stop_source attempt(std::nostopstate);
  {
    const std::lock_guard guard(place_);
    is_cancelled_ = true;
    if (has_connection()) {
      const Turn turn = connection_->begin_turn();
      call_.cancel();
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
  if (connection_ == nullptr) return;
  connection_->notify(reader_);
  connection_->notify(writer_);
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Whoever waits, drives.
#include "client/blocking_connection.hpp"

#include "async/cancel_event.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// How often a thread that sleeps looks whether it is wanted, when there was no descriptor left to
/// wake it with.
constexpr Duration look_without_wake_up = std::chrono::milliseconds(10);

/// Reads of one look at what has arrived: a server that sends faster than we read must not hold a
/// call, and the mutex that its cancel() needs, beyond the deadline.
constexpr int reads_of_one_look = 16;

}  // namespace

BlockingConnection::BlockingConnection(std::unique_ptr<Transport> transport,
                                       std::string target,
                                       const ConnectionLimits& limits,
                                       SpinPolicy spin,
                                       ConnectionCounters& counters,
                                       Clock clock)
    : clock_(clock),
      last_look_(clock.now()),
      client_(std::move(transport), std::move(target), limits, *this, counters, last_look_),
      spinner_(spin) {
}

BlockingConnection::~BlockingConnection() {
  keeper_ = nullptr;
  is_heard_ = true;
  if (client_.pump().has_ended() || !is_in_maker()) return;
  client_.commands()->send_goaway(http2::ErrorCode::no_error, {});
  flush();
  client_.pump().close(EndReason::cancelled, "the channel closed it");
}

// ---- turns --------------------------------------------------------------------------------------

BlockingConnection::Turn::Turn(BlockingConnection& connection)
    : connection_(&connection), lock_(connection.mutex_, std::try_to_lock) {
  if (lock_) return;
  connection.contenders_.fetch_add(1, std::memory_order_relaxed);
  lock_.lock();
  connection.contenders_.fetch_sub(1, std::memory_order_relaxed);
}

void BlockingConnection::Turn::finish() noexcept {
  if (!lock_) return;
  connection_->end_turn();
  lock_.unlock();
}

void BlockingConnection::end_turn() noexcept {
  Pump& pump = client_.pump();
  if (driver_ == nullptr) {
    flush();
    // It may be one that was woken to drive, and found its call done.
    if (BlockedThread* const next = sleeping_.front()) notify(*next);
  } else if (!pump.is_write_blocked()) {
    flush();
    if (pump.is_write_blocked()) notify(*driver_);  // it must wait for writing
  }
}

void BlockingConnection::flush() {
  if (client_.pump().has_output()) client_.pump().flush(look_at_clock());
}

/// Time in which nobody drove is not the server's.
TimePoint BlockingConnection::look_at_clock() noexcept {
  const TimePoint now = clock_.now();
  if (driver_ == nullptr) client_.pump().session().pass_unseen(last_look_, now);
  return last_look_ = now;
}

void BlockingConnection::take_in(Turn& /*turn*/) {
  if (driver_ != nullptr) return;
  const TimePoint now = look_at_clock();
  for (int reads = 0; reads < reads_of_one_look; ++reads) {
    if (client_.pump().read(read_scratch(), now) != Pump::Progress::some) break;
  }
}

bool BlockingConnection::is_fit(Turn& turn, bool that_can_be_repeated) {
  const Transport& transport = client_.pump().transport();
  if (!that_can_be_repeated || !transport.writes_fail_after_close()) take_in(turn);
  return client_.open_state() != http2::Session::OpenState::closed;
}

void BlockingConnection::on_room() {
  if (!is_heard_ && client_.has_settings()) [[unlikely]] {
    is_heard_ = true;
    keeper_->on_heard(*this);
  }
  if (waiting_for_room_ > 0) wake_all();
}

void BlockingConnection::on_closing() {
  if (keeper_ != nullptr) keeper_->on_closing(*this);
  wake_all();
}

void BlockingConnection::wake_all() noexcept {
  if (driver_ != nullptr) notify(*driver_);
  IntrusiveList<BlockedThread> woken;
  while (BlockedThread* const thread = sleeping_.pop_front()) {
    thread->wake_up_.notify_one();
    woken.push_back(*thread);
  }
  while (BlockedThread* const thread = woken.pop_front())
    sleeping_.push_back(*thread);
}

void BlockingConnection::notify(BlockedThread& thread) noexcept {
  thread.has_news_ = true;
  if (thread.is_linked()) {
    thread.wake_up_.notify_one();
  } else if (&thread == driver_ && driver_sleeps_) {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }
}

// ---- waiting ------------------------------------------------------------------------------------

Status BlockingConnection::wait_for_word(TimePoint deadline, const std::stop_token& stop) {
  BlockedThread self;
  const std::stop_callback on_stop(stop, [this, &self] {
    const Turn turn = begin_turn();
    notify(self);
  });
  Turn turn = begin_turn();
  const auto is_closed = [this] {
    return client_.open_state() == http2::Session::OpenState::closed;
  };
  ++waiting_for_room_;  // SETTINGS are room
  wait(turn, self, deadline,
       [&] { return client_.has_settings() || is_closed() || stop.stop_requested(); });
  --waiting_for_room_;
  if (is_closed()) return client_.lost_status();
  if (client_.has_settings()) return Status();
  return Status(StatusCode::unavailable, client_.target() + ": the server says nothing")
      .with_reason(StatusReason::no_answer);
}

bool BlockingConnection::wait_once(Turn& turn, BlockedThread& thread, TimePoint deadline) {
  if (deadline != no_deadline && look_at_clock() >= deadline) return false;
  thread.has_news_ = false;
  if (driver_ != nullptr) {
    sleep(turn, thread, deadline);
  } else {
    driver_ = &thread;
    drive(turn, deadline);
    driver_ = nullptr;
  }
  return true;
}

void BlockingConnection::sleep(Turn& turn, BlockedThread& thread, TimePoint deadline) {
  end_turn();  // which may bring news
  if (thread.has_news_) return;
  // The driver may have fallen asleep before the process's first Canceller was made.
  if (driver_sleeps_ && driver_cancel_event_ != CancelEvent::descriptor()) notify(*driver_);
  sleeping_.push_back(thread);
  if (deadline == no_deadline) {
    thread.wake_up_.wait(turn.lock_);
  } else {
    thread.wake_up_.wait_for(turn.lock_, deadline - clock_.now());
  }
  thread.unlink();
}

void BlockingConnection::drive(Turn& turn, TimePoint deadline) {
  flush();
  if (CancelEvent::is_pending()) return deliver_cancellations(turn);
  if (driver_->has_news_ || spin(turn, deadline)) return;
  // That writers wait for the server is told without a byte of it.
  if (client_.session().may_have_event()) client_.pump().flush(look_at_clock());
  if (!driver_->has_news_) park(turn, deadline);
}

void BlockingConnection::deliver_cancellations(Turn& turn) noexcept {
  turn.lock_.unlock();
  CancelEvent::deliver();
  turn.lock_.lock();
}

bool BlockingConnection::spin(Turn& turn, TimePoint deadline) {
  TimePoint now = look_at_clock();
  if (poll(now)) return true;
  if (!spinner_.begin(now)) return false;
  const TimePoint until = std::min(deadline, client_.pump().next_deadline());
  do {
    turn.lock_.unlock();
    if (spinner_.are_polls_cheap()) relax_processor();
    make_room();
    if (!turn.lock_.try_lock()) {
      turn.lock_.lock();
      spinner_.was_held_up(look_at_clock());
    }
    if (driver_->has_news_ || CancelEvent::is_pending() || poll(now)) {
      spinner_.paid();
      return true;
    }
    now = look_at_clock();
  } while (now < until && spinner_.keep_on(now));
  return false;
}

bool BlockingConnection::poll(TimePoint now) {
  Pump& pump = client_.pump();
  if (pump.read(read_scratch(), now) == Pump::Progress::none) return false;
  if (now >= pump.next_deadline()) pump.on_time(now);
  return true;
}

/// Those who want the mutex are to have it before it is taken again. They may not even run, where
/// threads are more than processors.
void BlockingConnection::make_room() const noexcept {
  for (int rounds = 0; rounds < 1000; ++rounds) {
    if (contenders_.load(std::memory_order_relaxed) == 0) return;
    relax_processor();
  }
}

void BlockingConnection::park(Turn& turn, TimePoint deadline) {
  Pump& pump = client_.pump();
  if (!wake_) wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  driver_cancel_event_ = CancelEvent::descriptor();  // poll(2) passes over -1, as over no wake_
  std::array<pollfd, 4> polled = {pollfd{wake_.get(), POLLIN, 0},
                                  pollfd{driver_cancel_event_, POLLIN, 0}};
  nfds_t count = 2;
  if (!pump.session().should_pause_reading()) {
    const WaitAdvice advice = pump.transport().prepare_wait(Interest::read);
    if (advice.is_ready()) return;
    polled[count++] = {advice.fd(), advice.events(), 0};
  }
  if (pump.is_write_blocked()) {
    const WaitAdvice advice = pump.transport().prepare_wait(Interest::write);
    if (advice.is_ready()) return;
    polled[count++] = {advice.fd(), advice.events(), 0};
  }
  const bool is_timed = !spinner_.is_off() || deadline != no_deadline ||
                        pump.next_deadline() != no_deadline || !wake_;
  const TimePoint before = is_timed ? look_at_clock() : TimePoint{};
  TimePoint until = std::min(deadline, pump.next_deadline());
  if (!wake_) until = std::min(until, before + look_without_wake_up);
  timespec timeout{};
  if (until != no_deadline) {
    const auto left = std::max(until - before, Duration::zero()).count();
    timeout.tv_sec = left / 1'000'000'000;
    timeout.tv_nsec = left % 1'000'000'000;
  }
  driver_sleeps_ = true;
  turn.lock_.unlock();
  ::ppoll(polled.data(), count, until == no_deadline ? nullptr : &timeout, nullptr);
  if (polled[1].revents != 0) CancelEvent::deliver();
  turn.lock_.lock();
  driver_sleeps_ = false;
  if (polled[0].revents != 0) {
    std::uint64_t signals = 0;
    static_cast<void>(!::read(wake_.get(), &signals, sizeof signals));
  }
  for (nfds_t i = 2; i < count; ++i)
    if ((polled[i].revents & POLLNVAL) != 0)
      pump.close(EndReason::read_failed, "prepare_wait() named a descriptor that is not open");
  const TimePoint now = look_at_clock();
  spinner_.slept(now - before);
  pump.read(read_scratch(), now);  // first: what has come, came in time
  if (now >= pump.next_deadline()) pump.on_time(now);
}

}  // namespace nearcall::inline v0::detail

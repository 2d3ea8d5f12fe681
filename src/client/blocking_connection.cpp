// SPDX-License-Identifier: Apache-2.0
// Whoever waits, drives.
#include "client/blocking_connection.hpp"

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
                                       SpinPolicy spin)
    : client_(std::move(transport), std::move(target), limits, *this, SteadyClock::now()),
      spinner_(spin) {
}

BlockingConnection::~BlockingConnection() {
  if (client_.pump().has_ended() || !is_in_maker()) return;
  client_.session().send_goaway(http2::ErrorCode::no_error, {});
  client_.pump().flush(SteadyClock::now());
  client_.pump().end(EndReason::cancelled, "the channel closed it");
}

BlockingConnection::Lock BlockingConnection::lock() {
  Lock lock(mutex_, std::try_to_lock);
  if (lock) return lock;
  contenders_.fetch_add(1, std::memory_order_relaxed);
  lock.lock();
  contenders_.fetch_sub(1, std::memory_order_relaxed);
  return lock;
}

void BlockingConnection::flush() {
  if (!client_.pump().has_output()) return;
  const bool was_blocked = client_.pump().is_write_blocked();
  client_.pump().flush(SteadyClock::now());
  if (!was_blocked && client_.pump().is_write_blocked()) interrupt();  // it must poll for writing
}

void BlockingConnection::exchange(Lock& /*lock*/) {
  flush();
  if (is_driven_) return;
  const TimePoint now = SteadyClock::now();
  for (int reads = 0; reads < reads_of_one_look; ++reads) {
    if (client_.pump().read(read_scratch(), now) != Pump::Progress::some) break;
  }
  flush();  // of calls, and what the server is owed (PING's ACK)
}

bool BlockingConnection::is_fit(Lock& lock, bool that_can_be_repeated) {
  const Transport& transport = client_.pump().transport();
  if (!that_can_be_repeated || !transport.writes_fail_after_close()) exchange(lock);
  return client_.open_state() != http2::Session::OpenState::closed;
}

void BlockingConnection::on_room() {
  if (waiting_for_room_ > 0) wake_all();
}

void BlockingConnection::on_closing() {
  wake_all();
}

void BlockingConnection::wake_all() noexcept {
  if (is_driven_) interrupt();
  IntrusiveList<BlockedThread> woken;
  while (BlockedThread* const thread = sleeping_.pop_front()) {
    thread->wake_up().notify_one();
    woken.push_back(*thread);
  }
  while (BlockedThread* const thread = woken.pop_front())
    sleeping_.push_back(*thread);
}

// ---- waiting ------------------------------------------------------------------------------------

bool BlockingConnection::wait_once(Lock& lock, BlockedThread& thread, TimePoint deadline) {
  if (deadline != no_deadline && SteadyClock::now() >= deadline) return false;
  if (is_driven_) {
    sleeping_.push_back(thread);
    if (deadline == no_deadline) {
      thread.wake_up().wait(lock);
    } else {
      thread.wake_up().wait_until(lock, deadline);
    }
    thread.unlink();
    return true;
  }
  is_driven_ = true;
  drive(lock, deadline);
  is_driven_ = false;
  return true;
}

void BlockingConnection::pass_role_on() noexcept {
  if (is_driven_) return;
  if (BlockedThread* const next = sleeping_.front()) next->wake_up().notify_one();
}

void BlockingConnection::notify(BlockedThread& thread) noexcept {
  if (thread.is_linked()) {
    thread.wake_up().notify_one();
  } else {
    interrupt();
  }
}

void BlockingConnection::interrupt() noexcept {
  is_interrupted_ = true;
  if (!is_parked_) return;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

void BlockingConnection::drive(Lock& lock, TimePoint deadline) {
  is_interrupted_ = false;
  flush();
  if (!spin(lock, deadline)) park(lock, deadline);
  flush();
}

bool BlockingConnection::spin(Lock& lock, TimePoint deadline) {
  TimePoint now = SteadyClock::now();
  if (poll(now)) return true;
  if (!spinner_.begin(now)) return false;
  const TimePoint until = std::min(deadline, client_.pump().next_deadline());
  do {
    lock.unlock();
    if (spinner_.are_polls_cheap()) relax_processor();
    make_room();
    if (!lock.try_lock()) {
      lock.lock();
      spinner_.was_held_up(SteadyClock::now());
    }
    if (is_interrupted_ || poll(now)) {
      spinner_.paid();
      return true;
    }
    now = SteadyClock::now();
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

void BlockingConnection::park(Lock& lock, TimePoint deadline) {
  Pump& pump = client_.pump();
  if (!wake_) wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::array<pollfd, 3> polled = {pollfd{wake_.get(), POLLIN, 0}, {}, {}};
  nfds_t count = 1;
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
  const TimePoint before = is_timed ? SteadyClock::now() : TimePoint{};
  TimePoint until = std::min(deadline, pump.next_deadline());
  if (!wake_) until = std::min(until, before + look_without_wake_up);
  timespec timeout{};
  if (until != no_deadline) {
    const auto left = std::max(until - before, Duration::zero()).count();
    timeout.tv_sec = left / 1'000'000'000;
    timeout.tv_nsec = left % 1'000'000'000;
  }
  is_parked_ = true;
  lock.unlock();
  ::ppoll(polled.data(), count, until == no_deadline ? nullptr : &timeout, nullptr);
  lock.lock();
  is_parked_ = false;
  if (polled[0].revents != 0) {
    std::uint64_t signals = 0;
    static_cast<void>(!::read(wake_.get(), &signals, sizeof signals));
  }
  const TimePoint now = SteadyClock::now();
  spinner_.slept(now - before);
  pump.read(read_scratch(), now);  // first: what has come, came in time
  if (now >= pump.next_deadline()) pump.on_time(now);
}

}  // namespace nearcall::inline v0::detail

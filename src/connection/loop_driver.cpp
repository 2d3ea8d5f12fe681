// SPDX-License-Identifier: Apache-2.0
// When a connection on a loop reads, writes, spins and parks.
#include "connection/loop_driver.hpp"

#include "base/heap_block.hpp"
#include "base/log.hpp"
#include "grpc/zlib_codec.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

/// What each of any number of connections may write at the end of a turn that is used up: an
/// answer, or a bit of one.
constexpr std::size_t late_flush = std::size_t{4} * 1024;

}  // namespace

LoopDriver::LoopDriver(LoopCore& core, Pump& pump) noexcept
    : core_(&core),
      pump_(&pump),
      timer_(core, &LoopDriver::on_timer, this),
      kernel_wakes_(pump.peer().is_own() ? 0 : wakes_of_others) {
}

LoopDriver::~LoopDriver() {
  stop();
}

void LoopDriver::start() {
  request_flush();
  if (!core_->budget().admits_newcomers()) return read_on();
  read_all();
}

void LoopDriver::stop() noexcept {
  core_->unmark(*this);
  for (const Watch& watched : watches_) {
    core_->remove(watched.fd, *this);
  }
  watches_.clear();
  timer_.clear();
  timer_at_ = no_deadline;
  TurnEndHook::unlink();
  go_on_.unlink();
}

void LoopDriver::on_fd_events(std::uint32_t epoll_events) {
  if (core_->is_telling()) {
    kernel_wakes_ = 0;
  } else if (kernel_wakes_ < wakes_of_others) {
    ++kernel_wakes_;
  }
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) was_end_told_ = true;
  if (pump_->is_write_blocked()) request_flush();
  if (go_on_.is_linked() || !core_->budget().admits_newcomers()) return read_on();
  read_all();
}

void LoopDriver::read_all() {
  pump_->begin_turn();
  std::size_t share = TurnBudget::share;
  do {
    const Pump::Progress progress = pump_->read(read_scratch(), core_->now());
    const std::size_t work = pump_->take_work();
    core_->budget().spend(work);
    share -= std::min(share, work);
    if (progress == Pump::Progress::ended) return;
    bool has_more = false;
    if (progress == Pump::Progress::some) {
      note_use();
      request_flush();
      has_more = was_end_told_ || !pump_->has_read_all();
    }
    const bool may_spin = kernel_wakes_ == wakes_of_others && !has_more;
    if ((may_spin && core_->mark_hot(*this)) || (!has_more && park_reads())) return;
  } while (share > 0 && !pump_->is_turn_over() && !core_->budget().is_spent());
  read_on();
}

void LoopDriver::read_on() {
  if (!go_on_.is_linked()) core_->schedule_next_turn(go_on_);
}

/// What is left of the output leaves here, not at the turn's end, where those that come later find
/// the turn used up: whoever waits longest is the first here.
void LoopDriver::go_on() {
  if (pump_->has_output() && !pump_->is_write_blocked() && !flush(flush_share)) return;
  read_all();
}

/// Whether the loop will be told of what comes next; false: something is there already.
bool LoopDriver::park_reads() {
  if (pump_->has_ended() || pump_->session().should_pause_reading()) return true;
  if (pump_->has_unread()) return false;
  const WaitAdvice advice = pump_->transport().prepare_wait(Interest::read);
  if (advice.is_ready()) return false;
  watch(advice.fd(), advice.events());
  return true;
}

bool LoopDriver::spin_once() {
  if (go_on_.is_linked()) return true;
  if (!core_->budget().admits_newcomers()) {
    read_on();
    return true;
  }
  pump_->begin_turn();
  const Pump::Progress progress = pump_->read(read_scratch(), core_->now());
  core_->budget().spend(pump_->take_work());
  if (progress == Pump::Progress::some) {
    note_use();
    request_flush();
    if (pump_->has_unread()) read_on();
  }
  return progress == Pump::Progress::some;
}

bool LoopDriver::prepare_park() {
  return park_reads();
}

void LoopDriver::on_turn_end() {
  TurnBudget& budget = core_->budget();
  if (!budget.is_spent()) {
    flush(flush_share);
    return;
  }
  const std::uint64_t before = pump_->session().sent_position();
  flush(std::max(late_flush, budget.late_output_left()));
  budget.spend_late_output(pump_->session().sent_position() - before);
}

bool LoopDriver::flush(std::size_t most) {
  const bool was_paused = pump_->session().should_pause_reading();
  const Pump::Progress progress = pump_->flush(core_->now(), most);
  core_->budget().spend(pump_->take_work());
  if (progress == Pump::Progress::ended) return false;
  if (progress == Pump::Progress::none) {
    wait_for_write();
  } else if (pump_->has_rest()) {
    read_on();
  }
  if (was_paused && !pump_->session().should_pause_reading()) read_on();
  set_timer();
  return true;
}

void LoopDriver::wait_for_write() {
  const WaitAdvice advice = pump_->transport().prepare_wait(Interest::write);
  if (advice.is_ready()) {
    request_flush();
  } else {
    watch(advice.fd(), advice.events());
  }
}

void LoopDriver::watch(int fd, short events) {
  std::uint32_t wanted = EPOLLET;
  if ((events & POLLIN) != 0) wanted |= EPOLLIN | EPOLLRDHUP;
  if ((events & POLLOUT) != 0) wanted |= EPOLLOUT;
  const auto known = std::ranges::find(watches_, fd, &Watch::fd);
  if (known != watches_.end() && (known->events & wanted) == wanted) return;
  std::error_code error;
  if (known == watches_.end()) {
    error = core_->add(fd, wanted, *this);
    if (!error) watches_.push_back({fd, wanted});
  } else {
    known->events |= wanted;
    error = core_->modify(fd, known->events, *this);
  }
  if (error) pump_->close(EndReason::read_failed, "epoll_ctl: " + error.message());
}

void LoopDriver::note_use() noexcept {
  if (use_ == Use::trimmed) idle_at_ = core_->now() + idle_time;
  use_ = Use::active;
}

void LoopDriver::look_for_idleness() {
  if (core_->now() < idle_at_) return;
  HeapBlock::trim_unused();
  grpc::trim_unused_zlib();
  if (use_ == Use::active) {
    use_ = Use::quiet;
    idle_at_ = core_->now() + idle_time;
  } else {
    trim();
  }
}

void LoopDriver::trim() noexcept {
  if (use_ == Use::trimmed || pump_->has_ended()) return;
  pump_->trim();
  use_ = Use::trimmed;
  idle_at_ = no_deadline;
}

/// The timer is moved only to be earlier; one that fires too early looks again.
void LoopDriver::set_timer() {
  const TimePoint deadline = std::min(pump_->next_deadline(), idle_at_);
  if (deadline < timer_at_) look_again_at(deadline);
}

void LoopDriver::look_again_at(TimePoint when) {
  timer_at_ = when;
  timer_.set(when);
}

void LoopDriver::on_timer(void* self) noexcept {
  auto& driver = *static_cast<LoopDriver*>(self);
  driver.timer_at_ = no_deadline;
  const TimePoint now = driver.core_->now();
  // What came while the loop was busy came in time, and is read first.
  if (now >= driver.pump_->next_deadline()) {
    if (driver.core_->budget().is_spent()) return driver.look_again_at(now + next_look);
    driver.read_all();
  }
  driver.pump_->on_time(now);
  if (driver.pump_->has_ended()) return;
  driver.look_for_idleness();
  driver.request_flush();
  driver.set_timer();
}

}  // namespace nearcall::inline v0::detail

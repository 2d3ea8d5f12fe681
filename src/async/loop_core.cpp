// SPDX-License-Identifier: Apache-2.0
// The turn of a loop, and how it waits.
#include "async/loop_core.hpp"

#include "async/thread_loops.hpp"

#include <nearcall/result.hpp>

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr int max_posted_per_turn = 256;
constexpr int max_ready_per_turn = 256;
/// What a coroutine, or what was posted, takes of a turn (TurnBudget) that does not say more
/// itself.
constexpr std::size_t work_of_ready = 128;
constexpr int max_rounds_per_poll = 16;
/// How often what the loop's own ends in memory tell each other is done in the turn in which they
/// do.
constexpr int max_rounds_per_turn = 16;
constexpr std::size_t max_timers_per_turn = 256;
/// How often the other descriptors get a look while hot sources keep the loop busy: about as late
/// as a sleeper would wake.
constexpr Duration descriptor_poll_interval = std::chrono::microseconds(20);

/// How late a loop that has no descriptors may notice what other threads hand it, and try again.
constexpr Duration longest_nap = std::chrono::milliseconds(10);

class PostedFunction final : public Runnable {
 public:
  explicit PostedFunction(UniqueFunction<void()> work) : work_(std::move(work)) {}
  void run() noexcept override {
    const std::unique_ptr<PostedFunction> self(this);
    work_();
  }
  void drop() noexcept override { delete this; }

 private:
  UniqueFunction<void()> work_;
};

}  // namespace

constinit thread_local ThreadLoops thread_loops;

TimePoint coarse_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

TimePoint current_time() noexcept {
  EventLoop* const loop = EventLoop::current();
  return loop != nullptr ? Access::core(*loop).clock().now() : SteadyClock::now();
}

/// A bare handle's place among the ready; used again and again.
class LoopCore::HandleRunnable final : public Runnable {
 public:
  explicit HandleRunnable(LoopCore& core) noexcept : core_(&core) {}
  void set(std::coroutine_handle<> handle) noexcept { handle_ = handle; }
  void run() noexcept override {
    core_->free_handle_runnables_.push_back(*this);
    handle_.resume();
  }

 private:
  LoopCore* core_;
  std::coroutine_handle<> handle_;
};

LoopCore::LoopCore(EventLoop& owner, SpinPolicy spin)
    : owner_(&owner), spin_policy_(spin), inbox_(poller_), spinner_(spin) {
}

LoopCore::~LoopCore() {
  if (is_running())
    fail_precondition(
        "EventLoop: destroyed inside of its own run() or poll(); stop() it, and destroy it "
        "afterwards");
  EventLoop* const outer = std::exchange(thread_loops.running, owner_);
  // What goes may hand over more on its way.
  bool is_done = false;
  while (!is_done) {
    is_done = true;
    for (IntrusiveList<LoopOwned>* const list : {&tasks_, &owned_}) {
      while (LoopOwned* const owned = list->front()) {
        owned->destroy();
        is_done = false;
      }
    }
    while (Runnable* work = inbox_.take()) {
      work->drop();
      is_done = false;
    }
  }
  thread_loops.running = outer;
  leave_thread();
  if (poller_.has_watchers() || !timers_.empty()) {
    fail_precondition(
        "EventLoop: destroyed before a server, a connection or a task that waits on it; destroy "
        "those first");
  }
}

void LoopCore::leave_thread() noexcept {
  if (thread_loops.bound == owner_) thread_loops.bound = nullptr;
  if (thread_loops.kept == owner_) thread_loops.kept = nullptr;
}

// Out of line, as EventLoop::current().
[[gnu::noinline]] bool LoopCore::is_in_this_thread() const noexcept {
  if (thread_loops.running != nullptr) return thread_loops.running == owner_;
  return thread_loops.bound == owner_ || thread_loops.kept == owner_;
}

[[gnu::noinline]] bool LoopCore::is_run_elsewhere() const noexcept {
  return is_running() && last_ran_in_.load(std::memory_order_relaxed) != &thread_loops;
}

void LoopCore::require_not_elsewhere() const noexcept {
  if (!is_run_elsewhere()) return;
  fail_precondition(
      "EventLoop: run() or poll() while another thread is inside of it; a loop is of one thread "
      "at a time, others post() work to it");
}

[[gnu::noinline]] bool LoopCore::may_be_in_this_thread() const noexcept {
  if (is_in_this_thread()) return true;
  const ThreadLoops* const last = last_ran_in_.load(std::memory_order_relaxed);
  if (is_running()) return last == &thread_loops;  // inside of it another one is polled
  if (thread_loops.running != nullptr) return false;
  return thread_loops.pool == nullptr || last == nullptr || last == &thread_loops;
}

void LoopCore::set_kept(EventLoop* loop) noexcept {
  thread_loops.kept = loop;
}

LoopCore::Entry::Entry(LoopCore& core) noexcept : core_(&core), outer_(thread_loops.running) {
  core.require_not_elsewhere();
  if (core.is_running())
    fail_precondition("EventLoop: run() or poll() inside of itself; co_await there");
  core.last_ran_in_.store(&thread_loops, std::memory_order_relaxed);
  core.is_running_.store(true, std::memory_order_relaxed);
  thread_loops.running = core.owner_;
  core.inbox_.wake_up();
  core.refresh_now();
  core.busy_meter_.begin(core.now_);
}

LoopCore::Entry::~Entry() {
  core_->hot_.park();
  core_->refresh_now();
  core_->report_busy(core_->busy_meter_.look(core_->now_));
  core_->is_running_.store(false, std::memory_order_relaxed);
  core_->show_pending();
  core_->poller_.set_hidden(false);
  thread_loops.running = outer_;
}

void LoopCore::run() {
  if (thread_loops.running != nullptr) {
    fail_precondition(
        "EventLoop: run() inside of itself or another loop, which would stand still: co_await "
        "there, or call poll() when fd() is readable");
  }
  const Entry entry(*this);
  while (!inbox_.is_stop_requested())
    turn(/*may_block=*/true);
  inbox_.clear_stop();
}

void LoopCore::run_until(const bool& is_done) {
  const Entry entry(*this);
  heeds_stop_ = false;
  while (!is_done)
    turn(/*may_block=*/true);
  heeds_stop_ = true;
}

void LoopCore::poll() {
  require_not_elsewhere();
  if (is_running()) return poller_.set_hidden(true);  // until the outer one returns
  const Entry entry(*this);
  static_cast<void>(open());  // without descriptors it still does what needs none
  turn(/*may_block=*/false);
  for (int round = 1; round < max_rounds_per_poll; ++round) {
    if (budget_.is_spent() || !(has_ready_work() || poller_.has_told())) break;
    poller_.dispatch_told();
    run_ready();
    run_hooks();
  }
}

void LoopCore::catch_up() {
  if (poller_.has_watchers() || inbox_.has_news() || has_work()) turn(/*may_block=*/false);
}

void LoopCore::destroy_tasks() {
  while (LoopOwned* const task = tasks_.front())
    task->destroy();
  for (int round = 0; round < max_rounds_per_poll && (inbox_.has_news() || has_work()); ++round)
    turn(/*may_block=*/false);
}

int LoopCore::fd() {
  if (open()) return -1;
  if (poller_.open_host_fd()) return -1;
  if (!is_running()) show_pending();
  return poller_.host_fd();
}

void LoopCore::show_pending() noexcept {
  if (!poller_.is_open()) return;
  const TimePoint now = this->now();
  const TimePoint next = timers_.next_deadline();
  poller_.arm(next, now);
  poller_.watch_cancel_event();
  // The kernel does not know the time of set_clocks().
  if (has_work() || next <= now || !hot_.empty() || !inbox_.prepare_absence()) poller_.signal();
}

void LoopCore::work_came_from_outside() noexcept {
  if (!is_running() && poller_.is_open()) poller_.signal();
}

void LoopCore::schedule(Runnable& work) {
  ready_.push_back(work);
  work_came_from_outside();
}

void LoopCore::schedule_next_turn(Runnable& work) {
  next_turn_.push_back(work);
  work_came_from_outside();
}

TurnQueue::~TurnQueue() {
  TurnQueue& rest = core_->unowned_work();
  if (&rest == this) return;
  while (Runnable* const work = work_.pop_front())
    rest.push(*work);
}

void TurnQueue::push(Runnable& work) {
  work_.push_back(work);
  if (!is_linked()) core_->schedule_next_turn(*this);
}

void TurnQueue::run() noexcept {
  Runnable* const first = work_.pop_front();
  if (!work_.empty()) core_->schedule_behind_waiting(*this);
  if (first != nullptr) first->run();
}

void LoopCore::schedule(std::coroutine_handle<> ready) {
  auto* runnable = static_cast<HandleRunnable*>(free_handle_runnables_.pop_front());
  if (runnable == nullptr) {
    handle_runnables_.push_back(std::make_unique<HandleRunnable>(*this));
    runnable = handle_runnables_.back().get();
  }
  runnable->set(ready);
  schedule(*runnable);
}

void LoopCore::add_turn_end(TurnEndHook& hook) {
  hooks_.push_back(hook);
  work_came_from_outside();
}

void LoopCore::post(UniqueFunction<void()> work) {
  post(*new PostedFunction(std::move(work)));  // deletes itself when it runs or is dropped
}

void LoopCore::set_timer(TimerNode& node, TimePoint deadline) {
  if (deadline == no_deadline) {
    timers_.clear(node);
    return;
  }
  timers_.set(node, deadline);
  if (!is_running() && poller_.is_open()) poller_.arm(deadline, now());
}

void LoopCore::turn(bool may_block) {
  refresh_now();
  budget_.begin_turn();
  report_busy(busy_meter_.look(now_));
  const bool others_are_due = !next_turn_.empty() || !waiting_.empty();
  waiting_.append(next_turn_);
  bool is_busy = run_posted();
  is_busy |= run_timers();
  is_busy |= has_ready_work() || !waiting_.empty() || poller_.has_told();
  if (may_block && !is_busy) {
    wait_for_work();
  } else if (!may_block || others_are_due || now_ >= next_descriptor_poll_) {
    poll_hot_sources();
    poll_descriptors();
  } else {
    poller_.dispatch_told();
  }
  if (budget_.is_spent()) run_longest_waiting();
  run_ready();
  run_hooks();
  run_told();
}

/// A message and its answer need no look at the clock in between, nor at anything else that did not
/// change. Whoever waits for the next turn, or posted something, gets it at once.
void LoopCore::run_told() {
  for (int round = 1; round < max_rounds_per_turn && poller_.has_told(); ++round) {
    if (budget_.is_spent() || !next_turn_.empty() || inbox_.has_news()) break;
    poller_.dispatch_told();
    run_ready();
    run_hooks();
  }
}

bool LoopCore::run_posted() {
  int count = 0;
  for (; count < max_posted_per_turn; ++count) {
    Runnable* const work = inbox_.take();
    if (work == nullptr) break;
    work->run();
    budget_.spend(work_of_ready);
    if (budget_.spent() > TurnBudget::share) return true;  // others have theirs before the rest
  }
  return count > 0;
}

bool LoopCore::run_timers() {
  std::size_t count = 0;
  for (; count < max_timers_per_turn; ++count) {
    TimerNode* const due = timers_.pop_due(now_);
    if (due == nullptr) break;
    due->fire();
  }
  return count > 0;
}

bool LoopCore::poll_descriptors() {
  if (!poller_.is_open()) return false;
  next_descriptor_poll_ = now_ + descriptor_poll_interval;
  poller_.wait(/*may_block=*/false);
  return poller_.dispatch();
}

/// Nothing else tells of their news, however busy the loop is.
void LoopCore::poll_hot_sources() {
  if (hot_.empty()) return;
  hot_.begin(now_);
  hot_.poll(now_, spinner_.max_budget());
}

void LoopCore::wait_for_work() {
  if (!spin()) park();
}

/// Polls the hot sources; true if there is something to do now.
bool LoopCore::spin() {
  if (hot_.empty() || !spinner_.begin(now_)) return false;
  hot_.begin(now_);
  do {
    if (hot_.poll(now_, spinner_.max_budget()) || inbox_.has_news()) {
      spinner_.paid();
      if (now_ >= next_descriptor_poll_) poll_descriptors();  // however much comes each time
      return true;
    }
    if (spinner_.are_polls_cheap()) relax_processor();
    refresh_now();
    report_busy(busy_meter_.look(now_));
    if (timers_.next_deadline() <= now_) return true;
    if (now_ >= next_descriptor_poll_ && poll_descriptors()) {
      spinner_.paid();
      return true;
    }
  } while (spinner_.keep_on(now_) && !hot_.empty());
  return false;
}

/// Sleeps until something happens, unless there is something already.
void LoopCore::park() {
  if (const std::error_code error = open()) return nap_without_descriptors(error);
  if (!hot_.park() || has_work()) return;
  poller_.arm(timers_.next_deadline(), now_);
  if (!(heeds_stop_ ? inbox_.prepare_sleep() : inbox_.prepare_absence())) return;
  poller_.wait(/*may_block=*/true);
  inbox_.wake_up();
  const TimePoint slept_since = now_;
  refresh_now();
  busy_meter_.begin(now_);
  next_descriptor_poll_ = now_ + descriptor_poll_interval;
  spinner_.slept(now_ - slept_since);
  run_posted();
  run_timers();
  poller_.dispatch();
}

/// Nothing can have been registered then: all there is to wait for are timers and other threads.
void LoopCore::nap_without_descriptors(const std::error_code& why) {
  if (shortage_limiter_.admit(now_)) {
    log(LogLevel::error,
        "an EventLoop has no descriptors, and only looks every 10 ms: ", why.message());
  }
  const Duration until_timer =
      timers_.next_deadline() == no_deadline ? longest_nap : timers_.next_deadline() - now_;
  std::this_thread::sleep_for(std::clamp(until_timer, Duration::zero(), longest_nap));
  refresh_now();
  busy_meter_.begin(now_);
}

/// What is new may use all of a turn up, in each of them: one piece of it is finished, whatever it
/// costs.
void LoopCore::run_longest_waiting() {
  TimePoint before = clocks_.coarse.now();
  Runnable* const first = waiting_.pop_front();
  if (first == nullptr) return;
  budget_.admit_one();
  run_one(*first, before);
  budget_.spend(1);
}

void LoopCore::run_ready() {
  TimePoint before = clocks_.coarse.now();
  if (before > now_) {  // what kept the loop is named before its output leaves
    refresh_now();
    report_busy(busy_meter_.look(now_));
  }
  // First those that have waited for this turn: what is ready may use all of it up.
  while (!budget_.is_spent()) {
    Runnable* const next = waiting_.pop_front();
    if (next == nullptr) break;
    run_one(*next, before);
  }
  // It has a share of its own, whatever was done before.
  const std::size_t most = budget_.spent() + TurnBudget::share;
  for (int count = 0; count < max_ready_per_turn; ++count) {
    Runnable* const next = ready_.pop_front();
    if (next == nullptr) break;
    run_one(*next, before);
    budget_.spend(work_of_ready);
    if (budget_.is_spent() && budget_.spent() > most) break;
  }
}

void LoopCore::run_one(Runnable& work, TimePoint& before) {
  BusyMeter::clear_labels();
  work.run();
  const TimePoint after = clocks_.coarse.now();
  if (after == before) return;
  before = after;
  refresh_now();
  report_busy(busy_meter_.look(now_, "a coroutine"));
}

void LoopCore::run_hooks() {
  if (hooks_.empty()) return;
  // Those that are asked for meanwhile have their turn in the next round.
  IntrusiveList<TurnEndHook> due;
  due.append(hooks_);
  while (TurnEndHook* hook = due.pop_front())
    hook->on_turn_end();
}

void LoopCore::report_busy(const std::optional<std::string>& report) {
  if (!report) return;
  const auto swallowed = busy_limiter_.admit(now_);
  if (!swallowed) return;
  log(LogLevel::warning, *report, "; nothing else ran on it meanwhile (", *swallowed,
      " more such since the last line)");
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The inotify instance of a process, and who watches what by it.
#include "async/path_watch.hpp"

#include "base/fork_mark.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::uint32_t to_a_directory =
    IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
/// It is watched no more, or no longer where it was.
constexpr std::uint32_t directory_is_gone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;

/// Reads of one event of a loop; what is left is told again.
constexpr int reads_of_one_look = 16;

/// A path that comes and goes while it is being watched: then it is looked at without.
constexpr int most_tries = 4;

/// Directories above a path that may be missing.
constexpr std::size_t most_steps = 32;

}  // namespace

/// The inotify instance of a process. Is never destroyed.
///
/// Thread safety: any thread.
class PathWatchBoard {
 public:
  /// That of this process.
  static PathWatchBoard& here();
  bool is_here() const noexcept { return made_in_.is_in_maker(); }

  PathWatch::Armed arm(PathWatch& watch);
  void disarm(PathWatch& watch) noexcept;
  /// From now on it can be told again.
  void was_told(PathWatch& watch) noexcept {
    const std::lock_guard lock(mutex_);
    watch.is_told_ = false;
  }

 private:
  /// A loop that reads for all.
  class Reader final : public FdWatcher {
   public:
    Reader(PathWatchBoard& board, LoopCore& loop) noexcept : board_(&board), loop_(&loop) {}
    void on_fd_events(std::uint32_t /*epoll_events*/) override { board_->read(); }
    LoopCore& loop() const noexcept { return *loop_; }

    std::size_t users = 0;

   private:
    PathWatchBoard* board_;
    LoopCore* loop_;
  };

  /// Says once a process why paths are looked at now and then instead.
  PathWatch::Armed refuse(PathWatch& watch, const std::string& why);
  bool join(PathWatch& watch);
  void leave(PathWatch& watch) noexcept;
  /// Watches the nearest directory that is there; an error number, or 0.
  int place(PathWatch& watch);
  void release(int directory) noexcept;
  void read();
  /// Whether somebody waits for it.
  bool take(const inotify_event& event);
  void count_idle(std::size_t events);
  void tell(PathWatch& watch) noexcept;

  const ForkMark made_in_;
  std::mutex mutex_;
  UniqueFd fd_;
  /// How many watch something in it, by its number in the instance.
  std::map<int, std::size_t> directories_;
  std::vector<PathWatch*> watches_;
  std::vector<std::unique_ptr<Reader>> readers_;
  /// Events that nobody waits for, in the second that ends then.
  std::size_t idle_events_ = 0;
  TimePoint second_ends_{};
  bool is_said_ = false;
  /// There were too many of them.
  TimePoint paused_until_{};
};

std::string failed(const char* what, int error) {
  return std::string(what) + ": " + std::generic_category().message(error);
}

/// A child makes its own: the parent's instance is the parent's, and its lock may be held for ever.
PathWatchBoard& PathWatchBoard::here() {
  static constinit std::atomic<PathWatchBoard*> newest{nullptr};
  for (;;) {
    PathWatchBoard* board = newest.load(std::memory_order_acquire);
    if (board != nullptr && board->is_here()) return *board;
    auto made = std::make_unique<PathWatchBoard>();
    if (newest.compare_exchange_strong(board, made.get())) return *made.release();
  }
}

// ---- who watches --------------------------------------------------------------------------------

PathWatch::Armed PathWatchBoard::arm(PathWatch& watch) {
  const std::lock_guard lock(mutex_);
  if (watch.wd_ != PathWatch::none && watch.step_ == 0) return PathWatch::Armed::before;
  if (SteadyClock::now() < paused_until_) return refuse(watch, "too much happens in directories");
  if (!join(watch)) return refuse(watch, failed("inotify_init1", errno));
  const int wd = watch.wd_;
  const std::size_t step = watch.step_;
  if (const int error = place(watch)) return refuse(watch, failed("inotify_add_watch", error));
  const bool is_same = wd == watch.wd_ && step == watch.step_;
  return is_same ? PathWatch::Armed::before : PathWatch::Armed::now;
}

PathWatch::Armed PathWatchBoard::refuse(PathWatch& watch, const std::string& why) {
  leave(watch);
  if (!std::exchange(is_said_, true)) {
    log(LogLevel::warning, "inotify: ", why,
        "; servers that are waited for are looked for every 100 ms instead");
  }
  return PathWatch::Armed::impossible;
}

/// Whether its loop hears of the instance, which is there then.
bool PathWatchBoard::join(PathWatch& watch) {
  if (std::ranges::find(watches_, &watch) != watches_.end()) return true;
  if (!fd_) fd_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd_) return false;
  const auto is_its = [&watch](const auto& reader) { return &reader->loop() == watch.loop_; };
  auto reader = std::ranges::find_if(readers_, is_its);
  if (reader == readers_.end()) {
    auto made = std::make_unique<Reader>(*this, *watch.loop_);
    if (const std::error_code error = watch.loop_->add(fd_.get(), EPOLLIN, *made)) {
      errno = error.value();
      return false;
    }
    readers_.push_back(std::move(made));
    reader = std::prev(readers_.end());
  }
  ++(*reader)->users;
  watches_.push_back(&watch);
  return true;
}

void PathWatchBoard::leave(PathWatch& watch) noexcept {
  if (std::erase(watches_, &watch) > 0) {
    release(std::exchange(watch.wd_, PathWatch::none));
    const auto reader = std::ranges::find_if(
        readers_, [&watch](const auto& one) { return &one->loop() == watch.loop_; });
    if (--(*reader)->users == 0) {
      watch.loop_->remove(fd_.get(), **reader);
      readers_.erase(reader);
    }
  }
  if (watches_.empty()) fd_.reset();
}

void PathWatchBoard::disarm(PathWatch& watch) noexcept {
  const std::lock_guard lock(mutex_);
  leave(watch);
}

// ---- directories --------------------------------------------------------------------------------

int PathWatchBoard::place(PathWatch& watch) {
  for (int tries = 0; tries < most_tries; ++tries) {
    int wd = PathWatch::none;
    std::size_t step = 0;
    for (; step < watch.steps_.size(); ++step) {
      wd = ::inotify_add_watch(fd_.get(), watch.steps_[step].directory.c_str(), to_a_directory);
      if (wd >= 0 || (errno != ENOENT && errno != ENOTDIR)) break;
    }
    if (wd < 0) return errno;
    ++directories_[wd];
    release(std::exchange(watch.wd_, wd));
    watch.step_ = step;
    if (directories_.size() > PathWatch::most_directories) return ENOSPC;
    // What came in between would be told to nobody.
    if (step == 0 || ::access(watch.steps_[step - 1].directory.c_str(), F_OK) != 0) return 0;
  }
  return EAGAIN;
}

void PathWatchBoard::release(int directory) noexcept {
  const auto found = directories_.find(directory);
  if (found == directories_.end() || --found->second > 0) return;
  directories_.erase(found);
  ::inotify_rm_watch(fd_.get(), directory);
}

// ---- what happens in them -----------------------------------------------------------------------

void PathWatchBoard::read() {
  alignas(inotify_event) std::array<char, 4096> bytes;
  const std::lock_guard lock(mutex_);
  for (int reads = 0; reads < reads_of_one_look; ++reads) {
    const ssize_t count = ::read(fd_.get(), bytes.data(), bytes.size());
    if (count <= 0) return;
    std::size_t idle = 0;
    for (const char* at = bytes.data(); at < bytes.data() + count;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      if (!take(*event)) ++idle;
      at += sizeof(inotify_event) + event->len;
    }
    if (idle > 0) count_idle(idle);
  }
}

bool PathWatchBoard::take(const inotify_event& event) {
  const std::string_view name = event.len > 0 ? std::string_view(event.name) : std::string_view();
  const bool is_gone = (event.mask & directory_is_gone) != 0;
  const bool is_for_all = (event.mask & IN_Q_OVERFLOW) != 0;
  bool is_wanted = false;
  for (PathWatch* const watch : watches_) {
    const bool is_its = watch->wd_ == event.wd && (is_gone || watch->waits_for(name));
    if (!is_its && !is_for_all) continue;
    is_wanted = true;
    if (is_gone) release(std::exchange(watch->wd_, PathWatch::none));
    tell(*watch);
  }
  return is_wanted;
}

/// Whoever may write to a directory may have us read of it as fast as he can.
void PathWatchBoard::count_idle(std::size_t events) {
  constexpr Duration second = std::chrono::seconds(1);
  const TimePoint now = SteadyClock::now();
  if (now >= second_ends_) {
    idle_events_ = 0;
    second_ends_ = now + second;
  }
  idle_events_ += events;
  if (idle_events_ <= PathWatch::most_idle_events) return;
  idle_events_ = 0;
  paused_until_ = now + second;
  for (PathWatch* const watch : watches_) {
    release(std::exchange(watch->wd_, PathWatch::none));
    tell(*watch);
  }
}

void PathWatchBoard::tell(PathWatch& watch) noexcept {
  if (std::exchange(watch.is_told_, true)) return;
  watch.loop_->post(watch.tell_);
}

// ---- one path -----------------------------------------------------------------------------------

PathWatch::PathWatch(LoopCore& loop, std::string_view path, Callback on_change, void* argument)
    : path_(path), loop_(&loop), on_change_(on_change), argument_(argument) {
  if (path.size() > 1 && path.ends_with('/')) {
    path.remove_suffix(1);
    steps_.push_back({std::string(path), std::string()});
  }
  while (steps_.size() < most_steps) {
    const std::size_t slash = path.find_last_of('/');
    const std::string_view name = path.substr(slash + 1);  // from 0 where there is none
    std::string_view above = slash == std::string_view::npos ? "." : path.substr(0, slash);
    if (slash != std::string_view::npos && above.empty()) above = "/";
    if (!name.empty()) steps_.push_back({std::string(above), std::string(name)});
    if (above == "." || above == "/") return;
    path = above;
  }
}

PathWatch::~PathWatch() {
  disarm();
}

PathWatch::Armed PathWatch::arm() {
  if (board_ != nullptr && !board_->is_here()) disarm();  // that was its parent's
  board_ = &PathWatchBoard::here();
  return board_->arm(*this);
}

void PathWatch::disarm() noexcept {
  if (board_ == nullptr) return;
  if (board_->is_here()) board_->disarm(*this);
  loop_->cancel_posted(tell_);
  board_ = nullptr;
  wd_ = none;
  is_told_ = false;
}

bool PathWatch::is_there() const noexcept {
  struct stat status {};
  return ::lstat(path_.c_str(), &status) == 0;
}

void PathWatch::tell() {
  if (!board_->is_here()) return;
  board_->was_told(*this);
  on_change_(argument_);
}

}  // namespace nearcall::inline v0::detail

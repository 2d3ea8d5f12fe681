// SPDX-License-Identifier: Apache-2.0
// Reading a directory of sockets, when it has changed.
#include "client/directory_source.hpp"

#include "base/log.hpp"
#include "transport/shared_directory.hpp"
#include "transport/socket_path.hpp"
#include "transport/system_error.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

constexpr Duration between_looks = 10ms;
constexpr Duration between_looks_of_who_waits = 100ms;

/// More than a tick of any file system's clock that we know.
constexpr std::chrono::nanoseconds tick = 20ms;

struct DirectoryCloser {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

std::chrono::nanoseconds to_duration(const timespec& time) noexcept {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// As the file system tells it.
std::chrono::nanoseconds wall_clock() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return to_duration(now);
}

bool is_socket(int directory, const dirent& entry) noexcept {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_SOCK;
  struct stat status {};
  const int failed = ::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW);
  return failed == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

DirectorySource::DirectorySource(std::string path, bool trusts_all)
    : path_(std::move(path)), trusts_all_(trusts_all) {
}

DirectorySource::State DirectorySource::state_of(const struct stat& directory) noexcept {
  return {directory.st_dev, directory.st_ino, directory.st_mode, directory.st_uid,
          to_duration(directory.st_mtim)};
}

bool DirectorySource::look(TimePoint now) {
  if (now < next_) return false;
  next_ = deadline_after(now, between_looks);
  next_for_who_waits_ = deadline_after(now, between_looks_of_who_waits);
  struct stat directory {};
  if (::stat(path_.c_str(), &directory) != 0) {
    fail(Status(StatusCode::unavailable, "unix-dir:" + path_ + ": " + system_error(errno).message())
             .with_reason(StatusReason::no_server));
    return true;
  }
  const State state = state_of(directory);
  if (is_settled_ && state == read_at_) return false;
  is_settled_ = wall_clock() - state.modified > tick;
  read_at_ = state;
  read(directory);
  return true;
}

void DirectorySource::fail(Status why) {
  targets_.clear();
  failure_ = std::move(why);
  is_settled_ = false;
}

void DirectorySource::read(const struct stat& directory) {
  if (!trusts_all_) {
    // The directory itself, and then the way to it.
    std::string why = why_others_may_write(directory, ::geteuid());
    if (!why.empty()) why = "others may write to it (" + why + ")";
    if (why.empty()) why = why_others_may_choose(path_, ::geteuid());
    if (!why.empty()) {
      return fail(Status(StatusCode::unavailable,
                         "unix-dir:" + path_ + ": " + why +
                             ", so that anybody may have made the sockets; "
                             "ChannelOptions::expect_server() says who the servers may be")
                      .with_reason(StatusReason::wrong_server));
    }
  }
  const std::unique_ptr<DIR, DirectoryCloser> opened(::opendir(path_.c_str()));
  if (opened == nullptr) {
    return fail(
        Status(StatusCode::unavailable, "unix-dir:" + path_ + ": " + system_error(errno).message())
            .with_reason(StatusReason::no_permission));
  }
  std::vector<std::string> names;
  std::size_t seen = 0;
  while (const dirent* const entry = ::readdir(opened.get())) {
    if (++seen > most_entries) break;
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !is_socket(::dirfd(opened.get()), *entry)) continue;
    if (socket_path_problem(path_ + "/" + entry->d_name).empty()) names.emplace_back(name);
  }
  std::ranges::sort(names);
  const bool has_too_many = seen > most_entries || names.size() > most_sockets;
  if (has_too_many && !std::exchange(is_said_, true)) {
    log(LogLevel::warning, "unix-dir:", path_, ": of more than ", most_entries, " entries, or ",
        most_sockets, " sockets, the rest is left out");
  }
  names.resize(std::min(names.size(), most_sockets));
  targets_.clear();
  for (const std::string& name : names)
    targets_.push_back("unix:" + path_ + "/" + name);
  failure_ = targets_.empty() ? Status(StatusCode::unavailable,
                                       "unix-dir:" + path_ + ": there is no socket in it")
                                    .with_reason(StatusReason::no_server)
                              : Status();
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The protocol of sd_listen_fds(3), without its library.
#include "transport/systemd_sockets.hpp"

#include "base/check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number <= 0) return std::nullopt;
  return number;
}

std::vector<std::string> split_at_colons(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t colon = text.find(':');
    parts.emplace_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

/// Whether a socket of that name is `wanted`, which is empty for all that were not stored by the
/// library.
bool is_meant(std::string_view name, std::string_view wanted) {
  return wanted.empty() ? !name.starts_with(stored_prefix) : name == wanted;
}

std::string subject_of(std::string_view name) {
  return "systemd:" + std::string(name);
}

}  // namespace

SystemdSockets& SystemdSockets::of_process() {
  static SystemdSockets all({.pid = std::getenv("LISTEN_PID"),
                             .count = std::getenv("LISTEN_FDS"),
                             .names = std::getenv("LISTEN_FDNAMES")},
                            ::getpid(), 3);
  return all;
}

SystemdSockets::SystemdSockets(const Environment& environment, pid_t self, int first) {
  problem_ = read(environment, self, first);
  if (!problem_.empty()) passed_.clear();
  for (const Passed& each : passed_)
    ::fcntl(each.fd, F_SETFD, FD_CLOEXEC);
}

/// Takes down what there is, or says why there is nothing.
std::string SystemdSockets::read(const Environment& environment, pid_t self, int first) {
  if (environment.count == nullptr || environment.pid == nullptr) {
    return "no sockets were passed to this process (LISTEN_FDS or LISTEN_PID is not set): it was "
           "not started by a socket unit";
  }
  const std::string pid = environment.pid;
  if (number_in(pid) != self) {
    return "LISTEN_PID is \"" + pid + "\", and this process is " + std::to_string(self) +
           ": the sockets were passed to another one";
  }
  const std::optional<int> count = number_in(environment.count);
  if (!count) {
    return "LISTEN_FDS is \"" + std::string(environment.count) +
           "\", which is no number of sockets";
  }
  for (int i = 0; i < *count; ++i) {
    // Each is looked at, so that a number which is a lie ends here.
    const int fd = first <= std::numeric_limits<int>::max() - i ? first + i : -1;
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags != 0) {
      return "LISTEN_FDS is " + std::to_string(*count) + ", but descriptor " + std::to_string(fd) +
             (flags < 0 ? " is not open" : " is close-on-exec, so nobody has passed it");
    }
    passed_.push_back({fd, "unknown", false});
  }
  if (environment.names == nullptr) return {};
  std::vector<std::string> names = split_at_colons(environment.names);
  if (names.size() != passed_.size()) {
    return "LISTEN_FDNAMES has " + std::to_string(names.size()) + " names, and LISTEN_FDS is " +
           std::to_string(*count);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    passed_[i].name = std::move(names[i]);
  return {};
}

Result<std::vector<InheritedSocket>> SystemdSockets::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!made_in_.is_in_maker()) problem_ = "the sockets were passed to the parent of this process";
  std::vector<InheritedSocket> found;
  for (const Passed& each : passed_) {
    if (!problem_.empty()) break;
    if (each.is_used || !is_meant(each.name, name)) continue;
    const std::string subject =
        subject_of(each.name) + " (descriptor " + std::to_string(each.fd) + ")";
    Result<InheritedSocket> socket = InheritedSocket::inspect(each.fd, subject);
    if (!socket) return std::move(socket).error();
    found.push_back(*std::move(socket));
  }
  if (!found.empty()) return found;
  return Status::failed_precondition(subject_of(name) + ": " + why_none(name))
      .with_reason(StatusReason::misuse);
}

std::string SystemdSockets::why_none(std::string_view name) const {
  if (!problem_.empty()) return problem_;
  std::string names;
  for (const Passed& each : passed_) {
    if (is_meant(each.name, name)) return "what was passed is used already";
    names.append(names.empty() ? "" : ", ").append(each.name);
  }
  return "no socket of that name was passed; there are: " + names;
}

SystemdSockets::Passed& SystemdSockets::passed_as(int fd) {
  const auto is_it = [fd](const Passed& each) { return each.fd == fd; };
  const auto passed = std::find_if(passed_.begin(), passed_.end(), is_it);
  CHECK(passed != passed_.end(), fd);
  return *passed;
}

bool SystemdSockets::mark_used(const std::vector<InheritedSocket>& sockets) {
  const std::lock_guard lock(mutex_);
  for (const InheritedSocket& socket : sockets) {
    if (passed_as(socket.fd()).is_used) return false;
  }
  for (const InheritedSocket& socket : sockets)
    passed_as(socket.fd()).is_used = true;
  return true;
}

std::vector<StoredDescriptor> SystemdSockets::take_stored(
    const std::function<bool(std::string_view name)>& is_wanted) {
  const std::lock_guard lock(mutex_);
  std::vector<StoredDescriptor> taken;
  if (!made_in_.is_in_maker()) return taken;
  for (auto each = passed_.begin(); each != passed_.end();) {
    const bool is_taken =
        !each->is_used && each->name.starts_with(stored_prefix) && is_wanted(each->name);
    if (is_taken) taken.push_back({std::move(each->name), UniqueFd(each->fd)});
    each = is_taken ? passed_.erase(each) : std::next(each);
  }
  return taken;
}

void SystemdSockets::put_back(StoredDescriptor stored) {
  const std::lock_guard lock(mutex_);
  passed_.push_back({stored.fd.release(), std::move(stored.name), false});
}

}  // namespace nearcall::inline v0::detail

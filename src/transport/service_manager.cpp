// SPDX-License-Identifier: Apache-2.0
// The protocol of sd_notify(3), without its library.
#include "base/unique_fd.hpp"
#include "transport/socket_address.hpp"
#include "transport/system_error.hpp"

#include <nearcall/service_manager.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace nearcall::inline v0::service_manager {
namespace {

constexpr std::size_t longest_name = 255;  // of a stored descriptor, for systemd

Result<detail::SocketAddress> address_in(std::string_view variable) {
  const bool is_path = variable.starts_with('/');
  const bool is_abstract = variable.starts_with('@') && variable.size() > 1;
  if ((is_path || is_abstract) && variable.size() < sizeof(sockaddr_un::sun_path)) {
    if (is_path) return detail::SocketAddress::unix_path(variable);
    return detail::SocketAddress::unix_abstract(variable.substr(1));
  }
  return Status::invalid_argument("NOTIFY_SOCKET is \"" + std::string(variable) +
                                  "\": neither an absolute path nor @ and a name");
}

/// Puts one descriptor beside the bytes of `message`.
class Attachment {
 public:
  Attachment(msghdr& message, int fd) noexcept {
    message.msg_control = control_.data();
    message.msg_controllen = control_.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }

 private:
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control_{};
};

Result<bool> notify(std::string state, std::optional<int> fd = std::nullopt) {
  const char* const variable = ::secure_getenv("NOTIFY_SOCKET");
  if (variable == nullptr || *variable == '\0') return false;
  Result<detail::SocketAddress> address = address_in(variable);
  if (!address) return std::move(address).error();
  const detail::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto failure = [variable](const char* call) {
    return detail::system_status(StatusCode::unavailable, variable, call, errno);
  };
  if (!socket) return failure("socket");
  iovec text{state.data(), state.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(address->get());  // sendmsg only reads it
  message.msg_namelen = address->size();
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  std::optional<Attachment> attachment;
  if (fd) attachment.emplace(message, *fd);
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return failure("sendmsg");
  return true;
}

std::uint64_t microseconds_of_clock() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

std::optional<std::uint64_t> number_of(const char* variable) {
  const char* const text = ::secure_getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Result<void> check_name(std::string_view name) {
  const bool is_plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != ':'; });
  if (is_plain && !name.empty() && name.size() <= longest_name) return {};
  return Failure{Status::invalid_argument(
      "the name of a stored descriptor has 1 to 255 printable characters of ASCII, and no colon")};
}

}  // namespace

Result<bool> notify_ready() {
  return notify("READY=1");
}

Result<bool> notify_stopping() {
  return notify("STOPPING=1");
}

Result<bool> notify_reloading() {
  return notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds_of_clock()));
}

Result<bool> notify_alive() {
  return notify("WATCHDOG=1");
}

Result<bool> store_descriptor(int fd, std::string_view name) {
  if (Result<void> allowed = check_name(name); !allowed) return std::move(allowed).error();
  return notify("FDSTORE=1\nFDNAME=" + std::string(name), fd);
}

Result<bool> remove_descriptors(std::string_view name) {
  if (Result<void> allowed = check_name(name); !allowed) return std::move(allowed).error();
  return notify("FDSTOREREMOVE=1\nFDNAME=" + std::string(name));
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  const std::optional<std::uint64_t> interval = number_of("WATCHDOG_USEC");
  const std::optional<std::uint64_t> pid = number_of("WATCHDOG_PID");
  constexpr std::uint64_t most = std::chrono::microseconds::max().count();
  if (!interval || *interval == 0 || *interval > most) return std::nullopt;
  if (pid && *pid != static_cast<std::uint64_t>(::getpid())) return std::nullopt;
  return std::chrono::microseconds(*interval);
}

}  // namespace nearcall::inline v0::service_manager

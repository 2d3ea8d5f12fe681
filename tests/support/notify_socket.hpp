// SPDX-License-Identifier: Apache-2.0
// NotifySocket: what a service manager hears of its services.
#pragma once

#include "base/unique_fd.hpp"
#include "support/scoped_variable.hpp"
#include "transport/socket_address.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace nearcall::test {

/// The socket of a service manager, and NOTIFY_SOCKET, which names it.
class NotifySocket {
 public:
  NotifySocket(const detail::SocketAddress& address, const std::string& variable)
      : variable_("NOTIFY_SOCKET", variable.c_str()) {
    EXPECT_EQ(::bind(socket_.get(), address.get(), address.size()), 0);
  }
  explicit NotifySocket(const std::string& path)
      : NotifySocket(detail::SocketAddress::unix_path(path), path) {}

  int fd() const noexcept { return socket_.get(); }
  /// The next datagram, and the descriptor that came with it. Does not wait.
  std::string hear(detail::UniqueFd* descriptor = nullptr) const {
    std::array<char, 1024> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec piece{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return "nothing";
    if (cmsghdr* const header = CMSG_FIRSTHDR(&message); header != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      detail::UniqueFd came(fd);
      if (descriptor != nullptr) *descriptor = std::move(came);
    }
    return std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  const detail::UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const ScopedVariable variable_;
};

}  // namespace nearcall::test

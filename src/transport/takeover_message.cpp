// SPDX-License-Identifier: Apache-2.0
// One byte, and descriptors with it.
#include "transport/takeover_message.hpp"

#include "base/check.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nearcall::inline v0::detail {
namespace {

/// More than an offer has: the kernel closes what there is no room for.
constexpr std::size_t most_descriptors = 4;

using Control = std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))>;

std::vector<UniqueFd> descriptors_of(msghdr& message) {
  std::vector<UniqueFd> received;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      received.emplace_back(fd);
    }
  }
  return received;
}

}  // namespace

bool send_takeover(int socket, TakeoverMessage message, std::span<const int> descriptors) {
  CHECK(descriptors.size() <= most_descriptors, descriptors.size());
  iovec byte{&message, 1};
  alignas(cmsghdr) Control control{};
  msghdr whole{};
  whole.msg_iov = &byte;
  whole.msg_iovlen = 1;
  if (!descriptors.empty()) {
    whole.msg_control = control.data();
    whole.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const part = CMSG_FIRSTHDR(&whole);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &whole, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == 1;
}

TakeoverNews receive_takeover(int socket) {
  TakeoverNews news;
  iovec byte{&news.message, 1};
  alignas(cmsghdr) Control control{};
  msghdr whole{};
  whole.msg_iov = &byte;
  whole.msg_iovlen = 1;
  whole.msg_control = control.data();
  whole.msg_controllen = control.size();
  ssize_t count = 0;
  do {
    count = ::recvmsg(socket, &whole, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return news;
  if (count > 0) {
    news.descriptors = descriptors_of(whole);
    news.is_short_of_room = (whole.msg_flags & MSG_CTRUNC) != 0;
  }
  news.kind = count > 0    ? TakeoverNews::Kind::message
              : count == 0 ? TakeoverNews::Kind::ended
                           : TakeoverNews::Kind::broken;
  return news;
}

}  // namespace nearcall::inline v0::detail

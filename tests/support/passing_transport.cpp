// SPDX-License-Identifier: Apache-2.0
// SCM_RIGHTS there and back.
#include "support/passing_transport.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace nearcall::test {
namespace {

constexpr std::size_t most_of_one_write = 253;  // SCM_MAX_FD, which no header has

/// A message's bytes, and room for the descriptors that go with them. Points to itself.
class Message {
 public:
  Message(std::span<const iovec> pieces, std::size_t descriptors) noexcept {
    header.msg_iov = const_cast<iovec*>(pieces.data());
    header.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
    header.msg_control = control_.data();
    // Not CMSG_SPACE(), in whose padding the kernel puts one more.
    header.msg_controllen = CMSG_LEN(descriptors * sizeof(int));
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() = default;

  msghdr header{};

 private:
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_of_one_write * sizeof(int))> control_{};
};

template <class Call>
IoResult repeated(Call call) {
  for (;;) {
    const ssize_t count = call();
    if (count >= 0 || errno != EINTR) return IoResult::of_call(count);
  }
}

}  // namespace

IoResult PassingTransport::try_write_with(std::span<const iovec> from,
                                          std::span<const int> descriptors) {
  if (descriptors.empty()) return try_write(from);
  if (descriptors.size() > most_of_one_write) {
    return IoResult::failed(std::make_error_code(std::errc::invalid_argument));
  }
  Message message(from, descriptors.size());
  cmsghdr* const rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = message.header.msg_controllen;
  std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  return repeated([&] { return ::sendmsg(fd_, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

IoResult PassingTransport::try_read_with(std::span<std::byte> into,
                                         std::vector<int>& descriptors,
                                         std::size_t most) {
  const iovec piece{into.data(), into.size()};
  Message message(std::span(&piece, 1), std::min(most, most_of_one_write));
  const IoResult result =
      repeated([&] { return ::recvmsg(fd_, &message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  if (result.kind() != IoResult::Kind::bytes) return result;
  for (const cmsghdr* rights = CMSG_FIRSTHDR(&message.header); rights != nullptr;
       rights = CMSG_NXTHDR(&message.header, const_cast<cmsghdr*>(rights))) {
    if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t before = descriptors.size();
    descriptors.resize(before + (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(descriptors.data() + before, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
  }
  return result;
}

}  // namespace nearcall::test

// SPDX-License-Identifier: Apache-2.0
// Connecting; where the path is long, through a descriptor of the socket itself.
#include "transport/connect_socket.hpp"

#include "base/unique_fd.hpp"
#include "transport/socket_path.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace nearcall::inline v0::detail {

int connect_to_address(int socket, const SocketAddress& address) noexcept {
  int result = 0;
  do {
    result = ::connect(socket, address.get(), address.size());
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

int connect_to_path(int socket, const std::string& path) {
  if (path.size() <= max_path_in_address) {
    return connect_to_address(socket, SocketAddress::unix_path(path));
  }
  const UniqueFd found(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found) return errno;
  const int error = connect_to_address(socket, SocketAddress::unix_path(path_of_fd(found.get())));
  return error == ENOENT ? ENAMETOOLONG : error;
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Names of stored sockets, and what is believed of those that come back.
#include "transport/stored_socket.hpp"

#include "base/log.hpp"
#include "transport/inherited_socket.hpp"
#include "transport/socket_path.hpp"
#include "transport/systemd_sockets.hpp"

#include <nearcall/service_manager.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

std::string prefix_of(const std::string& path) {
  return std::string(stored_prefix) + short_hash(path) + "-";
}

std::string suffix_of(const FileId& file) {
  return std::to_string(file.device) + "." + std::to_string(file.inode);
}

bool is_usable(int fd, const std::string& path) {
  const Result<InheritedSocket> socket = InheritedSocket::inspect(fd, "unix:" + path);
  return socket && socket->is_listening() && socket->is_unix() &&
         ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

}  // namespace

std::optional<StoredSocket> take_stored_socket(const std::string& path) {
  const std::optional<FileId> there = file_id_at(AT_FDCWD, path);
  const std::string prefix = prefix_of(path);
  const auto is_there = [&there](std::string_view name) {
    return there && name.ends_with("-" + suffix_of(*there));  // by whatever path it was stored
  };
  std::optional<StoredSocket> found;
  for (StoredDescriptor& each : SystemdSockets::of_process().take_stored(
           [&](std::string_view name) { return is_there(name) || name.starts_with(prefix); })) {
    if (!found && is_there(each.name) && is_usable(each.fd.get(), path)) {
      found = StoredSocket{std::move(each.name), std::move(each.fd), *there};
    } else {
      drop_stored_socket(each.name);
    }
  }
  return found;
}

void put_back_stored_socket(StoredSocket socket) {
  SystemdSockets::of_process().put_back({std::move(socket.name), std::move(socket.listening)});
}

std::string store_socket(int listening, const std::string& path, const FileId& file) {
  const std::string name = prefix_of(path) + suffix_of(file);
  const Result<bool> stored = service_manager::store_descriptor(listening, name);
  if (!stored) {
    log(LogLevel::warning, "unix:", path,
        ": the service manager does not keep it: ", stored.error().message());
  }
  return stored && *stored ? name : std::string();
}

void drop_stored_socket(const std::string& name) {
  if (const Result<bool> told = service_manager::remove_descriptors(name); !told) {
    log(LogLevel::warning, "the service manager goes on to keep ", name, ": ",
        told.error().message());
  }
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// StoredSocket: a listening socket that the service manager keeps from one process to the next.
#pragma once

#include "base/unique_fd.hpp"
#include "transport/file_id.hpp"

#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// A listening socket that comes from the store of the service manager (FDSTORE of sd_notify(3)),
/// which passes it as it passes sockets of socket activation. Its name there tells of which path it
/// is and at which file it listens: the number of the file stays its own as long as the socket is
/// open.
struct StoredSocket {
  std::string name;
  UniqueFd listening;
  FileId file;
};

/// The one that was passed to this process and listens at the file that `path` leads to now. What
/// was passed of that path, and does not, is dropped from the store.
std::optional<StoredSocket> take_stored_socket(const std::string& path);
/// Where it will be found by the next server of this process, if there is one.
void put_back_stored_socket(StoredSocket socket);

/// Gives the manager a copy; the name, or none where there is no manager, or it does not take it.
std::string store_socket(int listening, const std::string& path, const FileId& file);
/// The manager keeps it no longer.
void drop_stored_socket(const std::string& name);

}  // namespace nearcall::inline v0::detail

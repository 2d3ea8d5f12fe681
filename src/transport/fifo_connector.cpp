// SPDX-License-Identifier: Apache-2.0
// One attempt after the other to be the client.
#include "transport/fifo_connector.hpp"

#include "async/loop_core.hpp"
#include "base/check.hpp"
#include "transport/backlog_pause.hpp"
#include "transport/fifo_directory.hpp"
#include "transport/file_id.hpp"
#include "transport/lock_file.hpp"
#include "transport/pipe_transport.hpp"
#include "transport/system_error.hpp"

#include <nearcall/wait.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Attempt = Result<std::unique_ptr<Transport>>;

/// A client's place: nobody else has it.
struct ClientPlace {
  FifoDirectory directory;
  std::unique_ptr<LockFile> lock;  // refers to the directory
};

/// Has the place for as long as the pipes are open: the base that is listed first goes last.
class FifoTransport final : private ClientPlace, public ForwardingTransport {
 public:
  FifoTransport(ClientPlace place, std::unique_ptr<Transport> pipes) noexcept
      : ClientPlace(std::move(place)), ForwardingTransport(std::move(pipes)) {}
};

Status unavailable(const Status& why, StatusReason reason) {
  return Status(StatusCode::unavailable, why.message()).with_reason(reason);
}

/// Whether the name still leads to the FIFO that was opened: a server may have come in between.
bool is_current(const FifoDirectory& directory, const char* name, const UniqueFd& fd) noexcept {
  struct stat opened {};
  return ::fstat(fd.get(), &opened) == 0 && file_id_at(directory.fd(), name) == file_id(opened);
}

/// Whether a server has its lock. One that was killed has not, though the file is still there.
bool is_server_there(const FifoDirectory& directory) noexcept {
  const UniqueFd lock(
      ::openat(directory.fd(), FifoDirectory::server_lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/// The FIFOs that wait, with the greeting in them; null if none do now.
Attempt take_fifos(ClientPlace place) {
  const FifoDirectory& directory = place.directory;
  UniqueFd input = directory.open_fifo(FifoDirectory::to_client, O_RDONLY);
  UniqueFd output;
  if (input) output = directory.open_fifo(FifoDirectory::to_server, O_WRONLY);
  if (!output) {
    const int error = errno;
    const bool is_nobody = error == ENOENT || error == ENXIO;
    if (is_nobody && is_server_there(directory)) return std::unique_ptr<Transport>();
    return connect_status(directory.subject(), is_nobody ? "connect" : "open",
                          is_nobody ? ECONNREFUSED : error);
  }
  if (!is_current(directory, FifoDirectory::to_client, input)) return std::unique_ptr<Transport>();
  for (const char* const name : {FifoDirectory::to_server, FifoDirectory::to_client})
    ::unlinkat(directory.fd(), name, 0);
  Attempt pipes = PipeTransport::make(std::move(input), std::move(output),
                                      PeerIdentity::own(directory.subject(), 0));
  if (!pipes) return unavailable(pipes.error(), StatusReason::system_limit);
  char greeting = FifoDirectory::greeting;
  const iovec piece{&greeting, 1};
  const IoResult said = (*pipes)->try_write({&piece, 1});
  if (said.kind() != IoResult::Kind::bytes) {
    if (is_server_there(directory)) return std::unique_ptr<Transport>();  // it makes new ones
    return connect_status(directory.subject(), "connect", ECONNREFUSED);
  }
  return std::unique_ptr<Transport>(
      std::make_unique<FifoTransport>(std::move(place), *std::move(pipes)));
}

Attempt attempt_once(const std::string& path) {
  Result<FifoDirectory> directory = FifoDirectory::open(path);
  if (!directory) {
    const bool is_refused = directory.error().code() == StatusCode::failed_precondition;
    return unavailable(directory.error(),
                       is_refused ? StatusReason::no_permission : StatusReason::no_server);
  }
  const std::string subject = directory->subject();
  const std::string lock_path = directory->path_of(FifoDirectory::client_lock);
  auto lock = LockFile::acquire(directory->fd(), FifoDirectory::client_lock, subject, lock_path,
                                /*longest_wait=*/{});
  if (lock) return take_fifos({*std::move(directory), *std::move(lock)});
  const StatusReason reason = lock.error().reason();
  if (reason == StatusReason::address_in_use || reason == StatusReason::server_stopping) {
    return std::unique_ptr<Transport>();  // another client
  }
  return unavailable(lock.error(), reason);
}

}  // namespace

FifoConnector::FifoConnector(const Endpoint& endpoint)
    : path_(endpoint.name()), target_(endpoint.to_string()) {
  CHECK(endpoint.kind() == Endpoint::Kind::fifo, target_);
}

Task<Result<std::unique_ptr<Transport>>> FifoConnector::connect(ConnectContext context) {
  BacklogPause pause;
  for (;;) {
    Attempt attempt = attempt_once(path_);
    if (!attempt || *attempt != nullptr) co_return attempt;
    const Duration rest = pause.next(current_time(), context.deadline());
    if (rest <= Duration::zero()) {
      co_return Status(StatusCode::unavailable,
                       target_ + ": connect: another client had the FIFOs until the deadline")
          .with_reason(StatusReason::limit);
    }
    const bool slept = co_await sleep_for(rest, context.cancellation());
    if (!slept) co_return connect_cancelled(target_);
  }
}

}  // namespace nearcall::inline v0::detail

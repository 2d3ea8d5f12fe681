// SPDX-License-Identifier: Apache-2.0
// TakeoverRequest: how a server that starts gets the socket of the one that listens.
#pragma once

#include "base/clock.hpp"
#include "base/unshared_fd.hpp"

#include <nearcall/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

/// What a server listens with. All of it is shared with the one that offers it.
struct TakeoverParts {
  /// The socket itself.
  UniqueFd listening;
  /// The file that is locked: whoever has this has the lock.
  UniqueFd lock;
  /// The socket's file (O_PATH).
  UniqueFd file;
};

/// The other end of a TakeoverOffer. Thread safety: none.
class TakeoverRequest {
 public:
  enum class Answer : std::uint8_t {
    none,
    /// The one that listened owns nothing any more: it has said so, or it is dead.
    ours,
    /// It owns all of it, and what was offered is of no use.
    withdrawn,
  };

  /// Asks whoever listens at `path`, and waits for its offer. UNAVAILABLE with
  /// StatusReason::no_server: nobody offers anything there, or with server_stopping: he who did has
  /// stopped, or gives it to another. PERMISSION_DENIED: he is another user, and not root.
  /// `subject` begins the messages.
  static Result<std::unique_ptr<TakeoverRequest>> ask(const std::string& path,
                                                      const std::string& subject,
                                                      Duration longest_wait);
  TakeoverRequest(const TakeoverRequest&) = delete;
  TakeoverRequest& operator=(const TakeoverRequest&) = delete;
  ~TakeoverRequest() = default;

  /// What was offered. Once.
  TakeoverParts take_parts() noexcept { return std::move(parts_); }
  /// Says that we accept from now on.
  void take() noexcept;
  /// Readable when there is something to look() at.
  int fd() const noexcept { return socket_.get(); }
  /// Never waits.
  Answer look();

 private:
  TakeoverRequest(UniqueFd socket, TakeoverParts parts) noexcept
      : socket_(std::move(socket)), parts_(std::move(parts)) {}

  const UnsharedFd socket_;
  TakeoverParts parts_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// TakeoverOffer: how a server that listens hands its socket over to the next one.
#pragma once

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "base/unshared_fd.hpp"
#include "transport/takeover_message.hpp"

#include <nearcall/result.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace nearcall::inline v0::detail {

/// Where the next server asks the one that listens for its socket, one at a time. Only the user of
/// this process and root are answered, by the word of the kernel.
///
///     nobody ──asked, offer()──► offered ──wanted, confirm()──► told ──taken
///        ▲                          │ it ends                     │ it ends, and has not read it
///        └──────────────────────────┴─────────────────────────────┘ returned
///
/// Never waits. Thread safety: none.
class TakeoverOffer {
 public:
  enum class News : std::uint8_t {
    none,
    /// Somebody asks, and the system has no room for him, as errno says: pause.
    no_room,
    /// Somebody asks: offer().
    asked,
    /// Who was offered it will accept from now on: confirm().
    wanted,
    /// Who was told that all is his has gone without having read it.
    returned,
    /// He has read it. It is over.
    taken,
  };

  /// `listening` is a Unix stream socket that listens; `subject` names it in logs.
  static Result<std::unique_ptr<TakeoverOffer>> make(UniqueFd listening, std::string subject);
  TakeoverOffer(const TakeoverOffer&) = delete;
  TakeoverOffer& operator=(const TakeoverOffer&) = delete;
  ~TakeoverOffer() = default;

  /// Readable when there is something to look() at.
  int fd() const noexcept { return poller_.get(); }
  News look();
  /// Whether somebody has been offered it, or told that it is his.
  bool has_asker() const noexcept { return asker_.has_value(); }
  bool is_told() const noexcept { return is_told_; }
  /// REQUIRES: has_asker().
  void offer(std::span<const int> descriptors);
  /// Tells him that it is all his, once. False: he has gone. REQUIRES: has_asker(), and we own
  /// nothing any more.
  bool confirm();
  /// Takes the offer back, unless he was told that it is his.
  void withdraw();

 private:
  TakeoverOffer(UniqueFd listening, UniqueFd poller, std::string subject) noexcept
      : listening_(std::move(listening)),
        poller_(std::move(poller)),
        subject_(std::move(subject)) {}
  News accept();
  void drop_asker() noexcept;
  bool watch(int fd) const noexcept;

  const UnsharedFd listening_;
  /// Has one descriptor in it: the asker's, or that which listens.
  const UniqueFd poller_;
  const std::string subject_;
  std::optional<UnsharedFd> asker_;
  bool is_told_ = false;
  LogLimiter refusal_limiter_;
};

}  // namespace nearcall::inline v0::detail

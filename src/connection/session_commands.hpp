// SPDX-License-Identifier: Apache-2.0
// SessionCommands: a call's way to its session's commands, which requests the flush.
#pragma once

#include "http2/session.hpp"

namespace nearcall::inline v0::detail {

/// Commands to the session of a connection. When it goes, `owner` is told that there may be output,
/// which leaves when its driver's turn ends.
///
///     commands()->send_headers(…);  // or several of them, by a name
template <class Owner>
class [[nodiscard]] SessionCommands {
 public:
  SessionCommands(Owner& owner, http2::Session& session) noexcept
      : owner_(&owner), session_(&session) {}
  SessionCommands(const SessionCommands&) = delete;
  SessionCommands& operator=(const SessionCommands&) = delete;
  ~SessionCommands() { owner_->on_output(); }

  http2::Session* operator->() const noexcept { return session_; }
  http2::Session& operator*() const noexcept { return *session_; }

 private:
  Owner* owner_;
  http2::Session* session_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// ServerView: what a server does, for whoever looks at it from anywhere in the program.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/connection_report.hpp>
#include <nearcall/task.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class Server;

/// A server, as it was when somebody looked; each of its loops a moment of its own.
struct ServerReport {
  ServerReport() = default;  // no aggregate: docs/gcc12.md

  /// Server::addresses(), once it was started.
  std::vector<std::string> addresses;
  /// Of all connections, those that are closed too.
  CallCounts calls;
  /// Those that are open, by their numbers.
  std::vector<ConnectionReport> connections;
  /// There are more with higher numbers than LookOptions::max_connections().
  bool has_more = false;
  /// All its loops have answered. False where one was busy for LookOptions::patience, or is not
  /// run.
  bool is_whole = true;
};

/// Looks at a server, and keeps nothing of it: it may be looked at from other threads, loops and
/// servers, and go at any time.
///
///     const ServerView view(server);
///     const std::optional<ServerReport> report = co_await view.look();
///
/// The server's loops answer for themselves, between two turns; its calls pay nothing. A handle.
///
/// Thread safety: any thread.
class ServerView {
 public:
  explicit ServerView(const Server& server);

  /// Whether the server is still there.
  bool is_there() const;
  /// On EventLoop::current(). Nothing if the server is gone.
  Task<std::optional<ServerReport>> look(LookOptions options = {}) const;

 private:
  std::shared_ptr<detail::ServerAnchor> anchor_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

// SPDX-License-Identifier: Apache-2.0
// ServerProcess: an EchoService in a process of its own, and what can be seen of it from outside.
#pragma once

#include "integration/echo_server.hpp"
#include "support/sanitized.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::test {

inline constexpr std::size_t mebibyte = std::size_t{1024} * 1024;

/// Memory of a process that is resident, in bytes.
std::size_t resident_bytes(pid_t process);
/// Descriptors that a process has open.
std::size_t open_descriptors(pid_t process);

struct ServerSetup {
  ServerOptions options;
  ListenOptions listen;
  uid_t user = 0;                           // whom the process turns into; 0: it stays what it is
  std::string target = {};                  // where it listens, if not at its path
  std::function<void()> prepare = nullptr;  // what it does before it listens
};

/// A server in a child process: what it logs goes to a file, what its handlers see can be waited
/// for. Its end is orderly, and checked, unless it is killed. Thread safety: none; make it while
/// the test has one thread.
class ServerProcess {
 public:
  explicit ServerProcess(std::string path, const ServerSetup& setup = ServerSetup());
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const noexcept { return child_->pid(); }
  const std::string& target() const noexcept { return target_; }
  const std::string& path() const noexcept { return path_; }
  /// It listens. False: it could not, or took too long.
  bool is_ready() noexcept { return ready_.wait_for(20); }
  /// A handler has begun (one more).
  bool has_started() noexcept { return started_.wait_for(20); }
  /// A handler has learnt that its call is cancelled (one more).
  bool has_cancelled() noexcept { return cancelled_.wait_for(20); }
  /// All that it has logged. What came before an answer of the server is there.
  std::string log() const;
  bool has_logged(std::string_view text) const { return log().find(text) != std::string::npos; }
  /// SIGKILL.
  void kill() { child_->kill(); }
  /// Stops it in good order: its exit status, 0 if nothing leaked.
  int stop();

 private:
  int serve(const ServerSetup& setup);

  std::string path_;
  std::string target_;
  std::string log_path_;
  ProcessSignal ready_;
  ProcessSignal stop_;
  ProcessSignal started_;
  ProcessSignal cancelled_;
  std::unique_ptr<ChildProcess> child_;
};

/// A server in another process, and a channel to it.
class ServerProcessTest : public testing::Test {
 protected:
  explicit ServerProcessTest(const ServerSetup& setup = ServerSetup())
      : server_(folder_.file("server.sock"), setup) {}
  void SetUp() override { ASSERT_TRUE(is_ready_); }

  /// Whether an honest client is served, now, over a connection of its own.
  bool serves();

  LogCapture log_;
  TempDir folder_;
  ServerProcess server_;
  const bool is_ready_ = server_.is_ready();
};

}  // namespace nearcall::test

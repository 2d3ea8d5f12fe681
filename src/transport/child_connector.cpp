// SPDX-License-Identifier: Apache-2.0
// A socket pair, and a child at its other end.
#include "transport/child_connector.hpp"

#include "base/check.hpp"
#include "base/fork_mark.hpp"
#include "transport/child_transport.hpp"
#include "transport/command_line.hpp"
#include "transport/inherited_socket.hpp"
#include "transport/started_process.hpp"
#include "transport/system_error.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// What a command of a target may take to end, as the default of SpawnOptions::grace().
constexpr Duration command_grace = std::chrono::milliseconds(500);

/// A child, and the connection to it.
struct Child {
  std::shared_ptr<StartedProcess> process;
  std::unique_ptr<Transport> transport;
};

/// Starts it with the other end of the connection in each of `places`, after what `plan` names.
Result<Child> start(ProcessPlan plan,
                    std::initializer_list<int> places,
                    const std::string& target) {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return connect_status(target, "socketpair", errno);
  }
  UniqueFd ours(fds[0]);
  const UniqueFd theirs(fds[1]);
  if (!ours || !theirs) return connect_status(target, "socketpair", errno);
  for (const int place : places)
    plan.descriptors.push_back({theirs.get(), place});
  auto process = StartedProcess::start(plan, target);
  if (!process) return std::move(process).error();
  Child child{*std::move(process), nullptr};
  auto transport = ChildTransport::make(std::move(ours), child.process, target);
  if (!transport) return std::move(transport).error();
  child.transport = *std::move(transport);
  return child;
}

/// Hands over the one connection to a child that runs already.
class SpawnedConnector final : public Connector {
 public:
  SpawnedConnector(std::string target, Child child) noexcept
      : target_(std::move(target)), child_(std::move(child)) {}

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    if (!made_in_.is_in_maker()) {
      co_return Status(StatusCode::unavailable,
                       target_ + ": the child is that of the process which forked this one");
    }
    if (!is_taken_.exchange(true)) co_return std::move(child_.transport);
    if (const std::optional<std::error_code> end = child_.process->end_if_exiting()) {
      co_return Status(StatusCode::unavailable, target_ + ": " + end->message())
          .with_reason(StatusReason::no_server);
    }
    co_return Status(StatusCode::unavailable,
                     target_ +
                         ": the child has one connection, which was used already; blocking calls "
                         "do not share it with those that are awaited on a loop");
  }

 private:
  const ForkMark made_in_;
  const std::string target_;
  std::atomic<bool> is_taken_ = false;
  /// Its transport: guarded by is_taken_, of whoever has set it.
  Child child_;
};

/// Starts a command for each connection.
class CommandConnector final : public Connector {
 public:
  CommandConnector(std::string target, std::vector<std::string> command) noexcept
      : target_(std::move(target)), command_(std::move(command)) {}

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext) override {
    Result<Child> child = start_command();
    if (!child) co_return child.error();
    co_return std::move(child->transport);
  }

 private:
  Result<Child> start_command() const {
    ProcessPlan plan;
    plan.command = command_;
    plan.grace = command_grace;
    return start(std::move(plan), {STDIN_FILENO, STDOUT_FILENO}, target_);
  }

  const std::string target_;
  const std::vector<std::string> command_;
};

}  // namespace

Result<std::shared_ptr<Connector>> spawn_child(const std::vector<std::string>& command,
                                               const SpawnOptions& options) {
  ProcessPlan plan;
  plan.command = command;
  plan.has_group = true;
  plan.grace = options.grace();
  const std::string target = "spawn:" + (command.empty() ? std::string() : command.front());
  if (options.drops_output()) {
    plan.descriptors = {{-1, STDOUT_FILENO}, {-1, STDERR_FILENO}};
  } else if (const std::optional<int> output = options.output()) {
    if (::fcntl(*output, F_GETFD) < 0) {
      return Status::failed_precondition(target + ": SpawnOptions::output(" +
                                         std::to_string(*output) + "): it is not open")
          .with_reason(StatusReason::misuse);
    }
    plan.descriptors = {{*output, STDOUT_FILENO}, {*output, STDERR_FILENO}};
  }
  // After the output, which may be our standard input, or 3.
  plan.descriptors.push_back({-1, STDIN_FILENO});
  Result<Child> child = start(std::move(plan), {inherited_descriptor}, target);
  if (!child) return std::move(child).error();
  return std::shared_ptr<Connector>(std::make_shared<SpawnedConnector>(target, *std::move(child)));
}

std::unique_ptr<Connector> make_command_connector(const Endpoint& endpoint) {
  CHECK(endpoint.kind() == Endpoint::Kind::command, endpoint.to_string());
  auto command = split_command(endpoint.name());
  CHECK(command, endpoint.to_string());  // parsing has split it, too
  return std::make_unique<CommandConnector>(endpoint.to_string(), *std::move(command));
}

}  // namespace nearcall::inline v0::detail

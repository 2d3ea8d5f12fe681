// SPDX-License-Identifier: Apache-2.0
// Access: how the library's own layers come into the classes of the API, and what those refer to.
#pragma once

#include <nearcall/version.hpp>

#include <string>
#include <utility>

/// Private classes that those of the API refer to. First named here, they are not exported.
namespace nearcall::inline v0::detail {
class AsyncCall;
class BlockingCall;
struct BoundMethod;
class CancelNote;
class ChannelCore;
class LoopCore;
class MessageStream;
class PoolCore;
class PooledCall;
class PostedResume;
class Runnable;
class ScopeCore;
class Semaphore;
class SemaphoreWaiter;
class ServerAnchor;
class ServerCore;
class ServiceConfig;
struct HostResolver;
struct SignalSlot;
class SpawnedTask;
class Waiter;
}  // namespace nearcall::inline v0::detail

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0::detail {

/// For the library's own layers: the one friend that classes of the API have. It gives out what is
/// private there, and changes with any version.
struct Access {
  /// What is behind an EventLoop, a ThreadPool or a Channel.
  static auto& core(const auto& owner) noexcept { return *owner.core_; }
  /// What nobody else may make: the context and the streams of a call, a call object, a Task.
  template <class T, class... Arguments>
  static T make(Arguments&&... arguments) {
    return T(std::forward<Arguments>(arguments)...);
  }
  /// Appends to Metadata what was checked already: what breaks the rules of add() would break the
  /// protocol.
  static void append(auto& metadata, std::string key, std::string value) {
    metadata.entries_.emplace_back(std::move(key), std::move(value));
  }
  /// What ChannelOptions keep for the channel: its service config, or null, and the receive limit,
  /// if one was said.
  static const auto& service_config(const auto& options) noexcept {
    return options.service_config_;
  }
  /// Who answers what hosts' names stand for; null: the system.
  static auto& resolver(auto& options) noexcept { return options.resolver_; }
  static const auto& max_receive(const auto& options) noexcept { return options.max_receive_; }
  /// The call that has these options fails with `what`.
  static void set_misuse(auto& options, auto what) { options.misuse_ = std::move(what); }
  /// The coroutine of a Task. REQUIRES: there is one.
  static auto& handle(auto& task) noexcept { return task.require(); }
};

}  // namespace nearcall::inline v0::detail

#pragma GCC visibility pop

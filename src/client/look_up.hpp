// SPDX-License-Identifier: Apache-2.0
// LookUp: one question to the system's resolver, on a thread that lives only as long as that takes.
#pragma once

#include "base/fork_mark.hpp"
#include "client/backend_source.hpp"

#include <nearcall/unique_function.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// One question to a resolver. getaddrinfo(3) can neither wait for a loop nor be cancelled, so it
/// has a thread, the only one that this library makes by itself. Nobody waits for that thread's
/// end: who does not want the answer any more leaves it alone, and it goes when the resolver has
/// answered.
///
/// Thread safety: any thread.
class LookUp {
 public:
  /// Of the process. A program that makes channels while its resolver hangs has no more threads.
  static constexpr std::size_t most_at_a_time = 64;

  /// Begins. `on_done` is called when there is an answer, on that thread. UNAVAILABLE: there can be
  /// no thread.
  static Result<std::shared_ptr<LookUp>> begin(HostResolver resolver,
                                               std::string host,
                                               unsigned port,
                                               UniqueFunction<void()> on_done);
  LookUp() = default;
  LookUp(const LookUp&) = delete;
  LookUp& operator=(const LookUp&) = delete;

  /// Once; nothing as long as there is none.
  std::optional<Result<std::vector<std::string>>> take_answer();
  /// Its thread is in another process: there will be no answer.
  bool is_lost() const noexcept { return !made_in_.is_in_maker(); }

 private:
  const ForkMark made_in_;
  std::mutex mutex_;
  std::optional<Result<std::vector<std::string>>> answer_;
};

}  // namespace nearcall::inline v0::detail

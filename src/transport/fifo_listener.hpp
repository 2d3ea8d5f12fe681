// SPDX-License-Identifier: Apache-2.0
// FifoListener: serves one client at a time over two FIFOs.
#pragma once

#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"
#include "base/unshared_fd.hpp"
#include "transport/endpoint.hpp"
#include "transport/fifo_directory.hpp"
#include "transport/lock_file.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

/// Makes the directory if it is not there, and the FIFOs in it, and removes these when it stops.
/// Thread safety: as Listener says.
class FifoListener final : public Listener {
 public:
  /// REQUIRES: a fifo endpoint.
  explicit FifoListener(const Endpoint& endpoint);
  FifoListener(const FifoListener&) = delete;
  FifoListener& operator=(const FifoListener&) = delete;
  ~FifoListener() override { unbind(); }

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  std::string address() const override { return "fifo:" + path_; }
  bool knows_credentials() const noexcept override { return true; }
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  /// Ends of FIFOs that no client has taken yet. A forked child has none: a client would take it
  /// for the server.
  struct Pair {
    Pair(UniqueFd input, UniqueFd output) noexcept
        : from_client(std::move(input)), to_client(std::move(output)) {}

    UnsharedFd from_client;
    UnsharedFd to_client;
  };

  Result<void> make_pair();
  /// Removes a FIFO of that name; FAILED_PRECONDITION where something else has it.
  Result<void> clear_name(const char* name) const;
  /// What waits for a client, which nobody watches any more.
  std::unique_ptr<Pair> take_pair() noexcept;
  Result<std::unique_ptr<Transport>> hand_over();
  void remove_names() noexcept;
  Failure<Status> failure(const std::string& call, int number) const;

  const std::string path_;
  const ForkMark made_in_;
  std::optional<FifoDirectory> directory_;
  std::unique_ptr<LockFile> lock_;
  /// Has `next_` in it: whoever watches keeps one descriptor.
  UniqueFd poller_;
  std::unique_ptr<Pair> next_;
  bool is_unbound_ = false;
};

}  // namespace nearcall::inline v0::detail

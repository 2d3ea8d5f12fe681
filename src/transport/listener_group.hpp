// SPDX-License-Identifier: Apache-2.0
// ListenerGroup: several listeners as one.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// Hands over the connections of all its members, of each in turn. Thread safety: as Listener says.
class ListenerGroup final : public Listener {
 public:
  /// REQUIRES: at least one, none null, none bound.
  explicit ListenerGroup(std::vector<std::unique_ptr<Listener>> members);

  /// Stops at the first that cannot.
  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  /// Those of all, with commas between them.
  std::string address() const override;
  std::vector<std::string> addresses() const override;
  /// Whether all of them do.
  bool knows_credentials() const noexcept override;
  /// Whether all of them can go by it.
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  std::vector<std::unique_ptr<Listener>> members_;
  /// Whose turn it is.
  std::size_t next_ = 0;
  /// Readable when one of the members' descriptors is.
  UniqueFd poller_;
  /// What is registered there of each member; -1: nothing yet.
  std::vector<int> watched_;
};

}  // namespace nearcall::inline v0::detail

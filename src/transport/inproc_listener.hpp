// SPDX-License-Identifier: Apache-2.0
// InprocListener: listens on a name within this process.
#pragma once

#include "transport/endpoint.hpp"
#include "transport/inproc_port.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Hands over the other ends of what InprocConnector makes. No socket, no thread: a descriptor
/// tells that a connection waits. In a forked child it hands over nothing.
class InprocListener final : public Listener {
 public:
  /// REQUIRES: an inproc endpoint.
  InprocListener(const Endpoint& endpoint, int backlog);
  InprocListener(const InprocListener&) = delete;
  InprocListener& operator=(const InprocListener&) = delete;
  ~InprocListener() override { unbind(); }

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  std::string address() const override { return "inproc:" + name_; }
  bool knows_credentials() const noexcept override { return true; }
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  const std::string name_;
  const int backlog_;
  const ForkMark made_in_;
  std::shared_ptr<InprocPort> port_;
  bool is_unbound_ = false;
};

}  // namespace nearcall::inline v0::detail

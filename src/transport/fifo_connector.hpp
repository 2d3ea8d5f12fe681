// SPDX-License-Identifier: Apache-2.0
// FifoConnector: becomes the one client of a FifoListener.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Takes the FIFOs that wait for a client. Where another one is connected, tries again until the
/// deadline. Never blocks: where nobody reads the other end, it is refused.
/// Thread safety: as Connector says.
class FifoConnector final : public Connector {
 public:
  /// REQUIRES: a fifo endpoint.
  explicit FifoConnector(const Endpoint& endpoint);

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override;

 private:
  const std::string path_;
  const std::string target_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// InprocConnector: connects to a listener of this process.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Makes pipes in memory, and hands their other ends to the InprocListener of that name. Where too
/// many wait there already, tries again until the deadline.
class InprocConnector final : public Connector {
 public:
  /// REQUIRES: an inproc endpoint.
  explicit InprocConnector(const Endpoint& endpoint);

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override;

 private:
  const std::string name_;
  const std::string target_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// SingleListener: hands over the one connection that it has, and ends its server with that.
#pragma once

#include <nearcall/transport.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Hands over the one connection that the process was started with. The server's work is done when
/// that has ended: it stops (Listener::is_over()). Thread safety: as Listener says.
class SingleListener final : public Listener {
 public:
  SingleListener(std::unique_ptr<Transport> transport, std::string address, bool knows_credentials);
  ~SingleListener() override;

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  bool is_over() const noexcept override;
  std::string address() const override { return address_; }
  bool knows_credentials() const noexcept override { return knows_credentials_; }

 private:
  class End;
  class LastTransport;
  enum class State : std::uint8_t { unbound, bound, over };

  const std::string address_;
  const bool knows_credentials_;
  State state_ = State::unbound;
  /// Until it is handed over.
  std::unique_ptr<Transport> transport_;
  /// From bind() on: whether it has ended.
  std::shared_ptr<End> end_;
};

}  // namespace nearcall::inline v0::detail

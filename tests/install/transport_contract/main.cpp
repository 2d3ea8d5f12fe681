// SPDX-License-Identifier: Apache-2.0
// The contract, asked of a transport around one that this process makes.
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/transport_contract.hpp>

#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <utility>

namespace {

class OwnTransport final : public nearcall::ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
};

nearcall::testing::TransportPair make() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return {};
  const auto connect = [](int fd) -> std::unique_ptr<nearcall::Transport> {
    const auto connector = nearcall::adopt_connector(fd);
    if (!connector) return nullptr;
    nearcall::ConnectContext context("pair", std::chrono::steady_clock::time_point::max(), {});
    auto made = nearcall::sync_wait((*connector)->connect(std::move(context)));
    return made ? std::make_unique<OwnTransport>(*std::move(made)) : nullptr;
  };
  return {connect(ends[0]), connect(ends[1])};
}

[[maybe_unused]] const int tests =
    nearcall::testing::add_transport_contract({.name = "Own", .make = make});

}  // namespace

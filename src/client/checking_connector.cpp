// SPDX-License-Identifier: Apache-2.0
// Connectors of a channel: one of a function, and one that checks whom another one has reached.
#include "client/checking_connector.hpp"

#include "client/connect_attempt.hpp"
#include "transport/shared_directory.hpp"

#include <nearcall/channel.hpp>

#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// A user's function as a connector.
class CallbackConnector final : public Connector {
 public:
  explicit CallbackConnector(ConnectCallback callback) : callback_(std::move(callback)) {}
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override {
    return callback_ ? callback_(std::move(context)) : fail();
  }

 private:
  static Task<Result<std::unique_ptr<Transport>>> fail() {
    co_return Status::failed_precondition("ChannelOptions::connector(): the function is empty")
        .with_reason(StatusReason::misuse);
  }

  ConnectCallback callback_;
};

/// Hands over no connection to a server that the channel does not expect, or (if there is a `name`)
/// to a stranger where others may take that.
class CheckingConnector final : public Connector {
 public:
  CheckingConnector(std::shared_ptr<Connector> connector, PeerPolicy expected)
      : connector_(std::move(connector)), expected_(std::move(expected)) {}
  CheckingConnector(std::shared_ptr<Connector> connector, PeerPolicy expected, Endpoint name)
      : connector_(std::move(connector)), expected_(std::move(expected)), name_(std::move(name)) {}
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override {
    std::string target = context.target();
    Task<Result<std::unique_ptr<Transport>>> attempt = try_connect(connector_, std::move(context));
    Result<std::unique_ptr<Transport>> made = co_await std::move(attempt);
    if (!made || expected_.admits((*made)->peer())) co_return made;
    const PeerIdentity& peer = (*made)->peer();
    const std::string others = name_ ? others_who_may_take(*name_, peer.uid()) : "";
    if (name_ && others.empty()) co_return made;
    co_return Status(StatusCode::unavailable, target + ": not the server that is expected: " +
                                                  expected_.why_not(peer) + others)
        .with_reason(StatusReason::wrong_server);
  }

 private:
  static std::string others_who_may_take(const Endpoint& name, uid_t server) {
    const std::string why = name.kind() == Endpoint::Kind::unix_abstract
                                ? "everybody may take an abstract name"
                                : why_others_may_choose(name.name(), server);
    if (why.empty()) return why;
    return ", and " + why +
           ", so that anybody may have made the socket; ChannelOptions::expect_server() says who "
           "the server may be";
  }

  std::shared_ptr<Connector> connector_;
  const PeerPolicy expected_;
  const std::optional<Endpoint> name_;
};

}  // namespace

std::shared_ptr<Connector> make_connector(ConnectCallback callback) {
  return std::make_shared<CallbackConnector>(std::move(callback));
}

std::shared_ptr<Connector> make_checking_connector(std::shared_ptr<Connector> connector,
                                                   PeerPolicy expected) {
  return std::make_shared<CheckingConnector>(std::move(connector), std::move(expected));
}

std::shared_ptr<Connector> make_name_checking_connector(std::shared_ptr<Connector> connector,
                                                        const Endpoint& name) {
  return std::make_shared<CheckingConnector>(std::move(connector), PeerPolicy::same_user_or_root(),
                                             name);
}

}  // namespace nearcall::inline v0::detail

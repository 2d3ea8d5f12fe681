// SPDX-License-Identifier: Apache-2.0
// A look at a server, whose loops answer for themselves.
#include "server/server_anchor.hpp"
#include "server/server_core.hpp"

#include <nearcall/server.hpp>
#include <nearcall/server_view.hpp>

#include <utility>

namespace nearcall::inline v0 {
namespace {

using detail::ServerGathering;

Task<std::optional<ServerReport>> look_at(std::shared_ptr<detail::ServerAnchor> anchor,
                                          LookOptions options) {
  const auto gathering = std::make_shared<ServerGathering>(options);
  auto share = std::make_shared<const detail::ServerContribution>(gathering);
  const bool is_there = anchor->use([&share](detail::ServerCore& core) { core.report(share); });
  if (!is_there) co_return std::nullopt;
  share.reset();
  auto waiting = ServerGathering::wait(gathering);
  co_return co_await std::move(waiting);
}

}  // namespace

ServerView::ServerView(const Server& server) : anchor_(detail::Access::core(server).anchor()) {
}

bool ServerView::is_there() const {
  return anchor_->use([](detail::ServerCore& /*core*/) {});
}

Task<std::optional<ServerReport>> ServerView::look(LookOptions options) const {
  return look_at(anchor_, options);
}

}  // namespace nearcall::inline v0

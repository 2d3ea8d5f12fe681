// SPDX-License-Identifier: Apache-2.0
// grpc.channelz.v1 over the ChannelzBook.
#include "services/channelz_book.hpp"
#include "services/channelz_wire.hpp"

#include <nearcall/channelz.hpp>

#include <nearcall_contract/grpc/channelz/v1/channelz.pb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0 {
namespace {

using detail::ChannelzBook;
using detail::ChannelzId;
using detail::ShownServer;

constexpr Method get_top_channels_method = {"/grpc.channelz.v1.Channelz/GetTopChannels",
                                            MethodKind::unary};
constexpr Method get_servers_method = {"/grpc.channelz.v1.Channelz/GetServers", MethodKind::unary};
constexpr Method get_server_method = {"/grpc.channelz.v1.Channelz/GetServer", MethodKind::unary};
constexpr Method get_server_sockets_method = {"/grpc.channelz.v1.Channelz/GetServerSockets",
                                              MethodKind::unary};
constexpr Method get_channel_method = {"/grpc.channelz.v1.Channelz/GetChannel", MethodKind::unary};
constexpr Method get_subchannel_method = {"/grpc.channelz.v1.Channelz/GetSubchannel",
                                          MethodKind::unary};
constexpr Method get_socket_method = {"/grpc.channelz.v1.Channelz/GetSocket", MethodKind::unary};

/// What one answer has at most, and has where the client does not say.
constexpr std::int64_t max_page = 100;

/// A client's wish for one of the pages of a list.
struct Page {
  std::uint64_t start;
  std::size_t most;
};

Result<Page> page_of(std::int64_t start, std::int64_t max_results) {
  if (start < 0) return Status::invalid_argument("channelz: where to start is negative");
  if (max_results < 0) return Status::invalid_argument("channelz: max_results is negative");
  const std::int64_t most = max_results == 0 ? max_page : std::min(max_results, max_page);
  return Page{static_cast<std::uint64_t>(start), static_cast<std::size_t>(most)};
}

Status not_found(std::string_view kind, std::int64_t id) {
  return Status::not_found("channelz: there is no " + std::string(kind) + " " + std::to_string(id));
}

Status too_many_visits() {
  return Status::resource_exhausted("channelz: more than " +
                                    std::to_string(ChannelzBook::max_visits) + " calls at a time");
}

Status no_answer() {
  return Status::unavailable(
      "channelz: an event loop that has a part of it is busy, or does not run; ask again");
}

/// What is looked at of a list: nothing of connections. Once loops have kept it waiting for a
/// second, it waits for no other one as long.
class ListPatience {
 public:
  LookOptions next() const {
    const auto left = until_ - std::chrono::steady_clock::now();
    LookOptions options;
    options.max_connections = 0;
    options.patience = std::max<std::chrono::nanoseconds>(left, std::chrono::milliseconds(50));
    return options;
  }

 private:
  const std::chrono::steady_clock::time_point until_ =
      std::chrono::steady_clock::now() + LookOptions().patience;
};

}  // namespace

Channelz::Channelz()
    : Service(
          "grpc.channelz.v1.Channelz",
          {detail::unary_handler<Channelz,
                                 GetTopChannelsRequest,
                                 GetTopChannelsResponse,
                                 &Channelz::get_top_channels>(get_top_channels_method),
           detail::unary_handler<Channelz,
                                 GetServersRequest,
                                 GetServersResponse,
                                 &Channelz::get_servers>(get_servers_method),
           detail::
               unary_handler<Channelz, GetServerRequest, GetServerResponse, &Channelz::get_server>(
                   get_server_method),
           detail::unary_handler<Channelz,
                                 GetServerSocketsRequest,
                                 GetServerSocketsResponse,
                                 &Channelz::get_server_sockets>(get_server_sockets_method),
           detail::unary_handler<Channelz,
                                 GetChannelRequest,
                                 GetChannelResponse,
                                 &Channelz::get_channel>(get_channel_method),
           detail::unary_handler<Channelz,
                                 GetSubchannelRequest,
                                 GetSubchannelResponse,
                                 &Channelz::get_subchannel>(get_subchannel_method),
           detail::
               unary_handler<Channelz, GetSocketRequest, GetSocketResponse, &Channelz::get_socket>(
                   get_socket_method)}),
      book_(std::make_unique<detail::ChannelzBook>()) {
}

Channelz::~Channelz() = default;

Channelz& Channelz::add(const Server& server, std::string name) {
  book_->add(ServerView(server), std::move(name));
  return *this;
}

// ---- servers ------------------------------------------------------------------------------------

/// Where all of a page have gone since it was made, the next one is looked at.
auto Channelz::get_servers(ServerContext& /*call*/, GetServersRequest request)
    -> Task<Result<GetServersResponse>> {
  const ChannelzBook::Visit visit(*book_);
  if (visit.is_beyond_limit()) co_return too_many_visits();
  Result<Page> page = page_of(request.start_server_id(), request.max_results());
  if (!page) co_return std::move(page).error();
  const ListPatience patience;
  GetServersResponse response;
  bool has_more = true;
  while (has_more && response.server().empty()) {
    const auto found = book_->servers(page->start, page->most);
    has_more = found.has_more;
    if (found.shown.empty()) break;
    page->start = found.shown.back()->id + 1;
    for (const auto& server : found.shown) {
      const LookOptions options = patience.next();
      const std::optional<ServerReport> report = co_await server->view.look(options);
      if (report) detail::write_server(*server, *report, *response.add_server());
    }
  }
  response.set_end(!has_more);
  co_return std::move(response);
}

auto Channelz::get_server(ServerContext& /*call*/, GetServerRequest request)
    -> Task<Result<GetServerResponse>> {
  const ChannelzBook::Visit visit(*book_);
  if (visit.is_beyond_limit()) co_return too_many_visits();
  const auto server = book_->server(request.server_id());
  if (server == nullptr) co_return not_found("server", request.server_id());
  const LookOptions options = ListPatience().next();
  const std::optional<ServerReport> report = co_await server->view.look(options);
  if (!report) co_return not_found("server", request.server_id());
  if (!report->is_whole) co_return no_answer();
  GetServerResponse response;
  detail::write_server(*server, *report, *response.mutable_server());
  co_return std::move(response);
}

auto Channelz::get_server_sockets(ServerContext& /*call*/, GetServerSocketsRequest request)
    -> Task<Result<GetServerSocketsResponse>> {
  const ChannelzBook::Visit visit(*book_);
  if (visit.is_beyond_limit()) co_return too_many_visits();
  const Result<Page> page = page_of(request.start_socket_id(), request.max_results());
  if (!page) co_return page.error();
  const auto server = book_->server(request.server_id());
  if (server == nullptr) co_return not_found("server", request.server_id());
  LookOptions options;
  options.first_connection = page->start - std::min(page->start, server->id);
  options.max_connections = page->most;
  const std::optional<ServerReport> report = co_await server->view.look(options);
  if (!report) co_return not_found("server", request.server_id());
  if (!report->is_whole) co_return no_answer();
  GetServerSocketsResponse response;
  for (const ConnectionReport& connection : report->connections)
    detail::write_socket_ref(server->id, connection, *response.add_socket_ref());
  response.set_end(!report->has_more);
  co_return std::move(response);
}

auto Channelz::get_socket(ServerContext& /*call*/, GetSocketRequest request)
    -> Task<Result<GetSocketResponse>> {
  const ChannelzBook::Visit visit(*book_);
  if (visit.is_beyond_limit()) co_return too_many_visits();
  const std::optional<ChannelzId> id = ChannelzId::parse(request.socket_id());
  const auto server = id ? book_->server(static_cast<std::int64_t>(id->owner)) : nullptr;
  if (server == nullptr) co_return not_found("socket", request.socket_id());
  LookOptions options;
  options.first_connection = id->number;
  options.max_connections = 1;
  const std::optional<ServerReport> report = co_await server->view.look(options);
  if (!report) co_return not_found("socket", request.socket_id());
  GetSocketResponse response;
  const std::size_t listener = id->number - ChannelzId::first_listener;
  if (listener < report->addresses.size()) {
    detail::write_listener(server->id, listener, report->addresses[listener],
                           *response.mutable_socket());
    co_return std::move(response);
  }
  const bool is_there =
      !report->connections.empty() && report->connections.front().number == id->number;
  if (!is_there && !report->is_whole) co_return no_answer();
  if (!is_there) co_return not_found("socket", request.socket_id());
  detail::write_socket(server->id, report->connections.front(), report->addresses,
                       *response.mutable_socket());
  co_return std::move(response);
}

// ---- channels -----------------------------------------------------------------------------------

auto Channelz::get_top_channels(ServerContext& /*call*/, GetTopChannelsRequest request)
    -> Task<Result<GetTopChannelsResponse>> {
  const Result<Page> page = page_of(request.start_channel_id(), request.max_results());
  if (!page) co_return page.error();
  GetTopChannelsResponse response;
  response.set_end(true);
  co_return std::move(response);
}

auto Channelz::get_channel(ServerContext& /*call*/, GetChannelRequest request)
    -> Task<Result<GetChannelResponse>> {
  co_return not_found("channel", request.channel_id());
}

auto Channelz::get_subchannel(ServerContext& /*call*/, GetSubchannelRequest request)
    -> Task<Result<GetSubchannelResponse>> {
  co_return not_found("subchannel", request.subchannel_id());
}

}  // namespace nearcall::inline v0

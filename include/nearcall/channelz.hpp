// SPDX-License-Identifier: Apache-2.0
// Channelz: shows the servers of a program, and their connections. Link nearcall::channelz.
#pragma once

#include <nearcall/server.hpp>
#include <nearcall/service.hpp>

#include <memory>
#include <string>

/// The messages of grpc.channelz.v1, which are private.
namespace nearcall_contract::grpc::channelz::v1 {
class GetChannelRequest;
class GetChannelResponse;
class GetServerRequest;
class GetServerResponse;
class GetServerSocketsRequest;
class GetServerSocketsResponse;
class GetServersRequest;
class GetServersResponse;
class GetSocketRequest;
class GetSocketResponse;
class GetSubchannelRequest;
class GetSubchannelResponse;
class GetTopChannelsRequest;
class GetTopChannelsResponse;
}  // namespace nearcall_contract::grpc::channelz::v1

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {
class ChannelzBook;
}

/// The service grpc.channelz.v1.Channelz (gRFC A14), for grpcdebug and the like:
///
///     Channelz channelz;
///     server.add_service(channelz);
///     channelz.add(server, "greeter");
///
/// It shows what was added to it and is still there, whichever server asks; it keeps nothing of
/// that. Whoever may call the server that it is added to sees all of it: targets, paths, who is
/// connected, how many calls there were.
///
/// What would cost calls something is left at 0 or unset: messages, times, traces. Several servers
/// may share one; it outlives them.
///
/// Thread safety: any thread.
class Channelz final : public Service {
 public:
  Channelz();
  ~Channelz() override;

  /// Shows a server, under that name, from when it is started. Once is enough.
  Channelz& add(const Server& server, std::string name = {});

 private:
  using GetTopChannelsRequest = nearcall_contract::grpc::channelz::v1::GetTopChannelsRequest;
  using GetTopChannelsResponse = nearcall_contract::grpc::channelz::v1::GetTopChannelsResponse;
  using GetServersRequest = nearcall_contract::grpc::channelz::v1::GetServersRequest;
  using GetServersResponse = nearcall_contract::grpc::channelz::v1::GetServersResponse;
  using GetServerRequest = nearcall_contract::grpc::channelz::v1::GetServerRequest;
  using GetServerResponse = nearcall_contract::grpc::channelz::v1::GetServerResponse;
  using GetServerSocketsRequest = nearcall_contract::grpc::channelz::v1::GetServerSocketsRequest;
  using GetServerSocketsResponse = nearcall_contract::grpc::channelz::v1::GetServerSocketsResponse;
  using GetChannelRequest = nearcall_contract::grpc::channelz::v1::GetChannelRequest;
  using GetChannelResponse = nearcall_contract::grpc::channelz::v1::GetChannelResponse;
  using GetSubchannelRequest = nearcall_contract::grpc::channelz::v1::GetSubchannelRequest;
  using GetSubchannelResponse = nearcall_contract::grpc::channelz::v1::GetSubchannelResponse;
  using GetSocketRequest = nearcall_contract::grpc::channelz::v1::GetSocketRequest;
  using GetSocketResponse = nearcall_contract::grpc::channelz::v1::GetSocketResponse;

  // The methods.

  Task<Result<GetTopChannelsResponse>> get_top_channels(ServerContext& call,
                                                        GetTopChannelsRequest request);
  Task<Result<GetServersResponse>> get_servers(ServerContext& call, GetServersRequest request);
  Task<Result<GetServerResponse>> get_server(ServerContext& call, GetServerRequest request);
  Task<Result<GetServerSocketsResponse>> get_server_sockets(ServerContext& call,
                                                            GetServerSocketsRequest request);
  Task<Result<GetChannelResponse>> get_channel(ServerContext& call, GetChannelRequest request);
  Task<Result<GetSubchannelResponse>> get_subchannel(ServerContext& call,
                                                     GetSubchannelRequest request);
  Task<Result<GetSocketResponse>> get_socket(ServerContext& call, GetSocketRequest request);

  std::unique_ptr<detail::ChannelzBook> book_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

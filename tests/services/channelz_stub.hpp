// SPDX-License-Identifier: Apache-2.0
// ChannelzStub: a client of grpc.channelz.v1 that has all of it.
#pragma once

#include <nearcall/client_stub.hpp>

#include <nearcall_contract/grpc/channelz/v1/channelz.pb.h>

#include <chrono>
#include <cstdint>

namespace nearcall::test {

namespace channelz_wire = nearcall_contract::grpc::channelz::v1;

/// Thread safety: any thread.
class ChannelzStub {
 public:
  explicit ChannelzStub(const Channel& channel) : stub_(channel, methods) {}

  Result<channelz_wire::GetTopChannelsResponse> top_channels(std::int64_t start = 0,
                                                             std::int64_t max_results = 0) const {
    channelz_wire::GetTopChannelsRequest request;
    request.set_start_channel_id(start);
    request.set_max_results(max_results);
    return stub_.unary<channelz_wire::GetTopChannelsResponse>(0, request, soon());
  }
  Result<channelz_wire::GetServersResponse> servers(std::int64_t start = 0,
                                                    std::int64_t max_results = 0) const {
    channelz_wire::GetServersRequest request;
    request.set_start_server_id(start);
    request.set_max_results(max_results);
    return stub_.unary<channelz_wire::GetServersResponse>(1, request, soon());
  }
  Result<channelz_wire::GetServerResponse> server(std::int64_t id) const {
    channelz_wire::GetServerRequest request;
    request.set_server_id(id);
    return stub_.unary<channelz_wire::GetServerResponse>(2, request, soon());
  }
  Result<channelz_wire::GetServerSocketsResponse> server_sockets(
      std::int64_t id, std::int64_t start = 0, std::int64_t max_results = 0) const {
    channelz_wire::GetServerSocketsRequest request;
    request.set_server_id(id);
    request.set_start_socket_id(start);
    request.set_max_results(max_results);
    return stub_.unary<channelz_wire::GetServerSocketsResponse>(3, request, soon());
  }
  Result<channelz_wire::GetChannelResponse> channel(std::int64_t id) const {
    channelz_wire::GetChannelRequest request;
    request.set_channel_id(id);
    return stub_.unary<channelz_wire::GetChannelResponse>(4, request, soon());
  }
  Result<channelz_wire::GetSubchannelResponse> subchannel(std::int64_t id) const {
    channelz_wire::GetSubchannelRequest request;
    request.set_subchannel_id(id);
    return stub_.unary<channelz_wire::GetSubchannelResponse>(5, request, soon());
  }
  Result<channelz_wire::GetSocketResponse> socket(std::int64_t id) const {
    channelz_wire::GetSocketRequest request;
    request.set_socket_id(id);
    return stub_.unary<channelz_wire::GetSocketResponse>(6, request, soon());
  }

 private:
  static constexpr Method methods[] = {
      {"/grpc.channelz.v1.Channelz/GetTopChannels", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetServers", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetServer", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetServerSockets", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetChannel", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetSubchannel", MethodKind::unary},
      {"/grpc.channelz.v1.Channelz/GetSocket", MethodKind::unary}};

  static CallOptions soon() { return CallOptions().timeout(std::chrono::seconds(20)); }

  ClientStub stub_;
};

}  // namespace nearcall::test

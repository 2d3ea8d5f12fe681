// SPDX-License-Identifier: Apache-2.0
// Messages of grpc.channelz.v1, filled from reports.
#pragma once

#include "services/channelz_book.hpp"

#include <nearcall_contract/grpc/channelz/v1/channelz.pb.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

namespace channelz_wire = nearcall_contract::grpc::channelz::v1;

/// An address in target form.
void write_address(std::string_view target, channelz_wire::Address& to);
void write_socket_ref(std::uint64_t owner,
                      const ConnectionReport& connection,
                      channelz_wire::SocketRef& to);
/// A connection of a server or a client; where its address is one of `listened_at`, it is this
/// end's.
void write_socket(std::uint64_t owner,
                  const ConnectionReport& connection,
                  const std::vector<std::string>& listened_at,
                  channelz_wire::Socket& to);
/// What a server listens at.
void write_listener(std::uint64_t owner,
                    std::size_t index,
                    const std::string& address,
                    channelz_wire::Socket& to);
/// Without its counts if the report is not whole.
void write_server(const ShownServer& server, const ServerReport& report, channelz_wire::Server& to);

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Messages of grpc.channelz.v1 and what they are filled from.
#include "services/channelz_wire.hpp"

#include <nearcall/server.hpp>

#include <gtest/gtest.h>

#include <string>

namespace nearcall::test {
namespace {

namespace channelz_wire = nearcall_contract::grpc::channelz::v1;

std::string written(std::string_view target) {
  channelz_wire::Address address;
  detail::write_address(target, address);
  return address.ShortDebugString();
}

TEST(ChannelzWire, APathIsThatOfAUnixSocket) {
  EXPECT_EQ(written("unix:/run/x.sock"), "uds_address { filename: \"/run/x.sock\" }");
}

TEST(ChannelzWire, AnIpAddressIsItsBytesAndAPort) {
  EXPECT_EQ(written("ipv4:127.0.0.1:4711"),
            "tcpip_address { ip_address: \"\\177\\000\\000\\001\" port: 4711 }");
  channelz_wire::Address six;
  detail::write_address("ipv6:[::1]:80", six);
  EXPECT_EQ(six.tcpip_address().ip_address(), std::string(15, '\0') + '\1');
  EXPECT_EQ(six.tcpip_address().port(), 80);
}

TEST(ChannelzWire, AnyOtherAddressIsItsText) {
  for (const std::string text : {"inproc:x", "unix-abstract:x", "ipv4:nowhere:1", "ipv4:1.2.3.4",
                                 "ipv4:1.2.3.4:x", "custom"})
    EXPECT_EQ(written(text), "other_address { name: \"" + text + "\" }");
}

TEST(ChannelzWire, ASocketTellsWhoIsConnectedAndWhatWasDone) {
  ConnectionReport report;
  report.number = 7;
  report.peer = PeerIdentity("unix:/s", 1000, 100, 42);
  report.streams_started = 5;
  report.streams_succeeded = 3;
  report.streams_failed = 1;
  report.keepalives_sent = 2;
  report.send_window = -1;
  report.receive_window = 65'535;
  channelz_wire::Socket socket;

  detail::write_socket(1'000, report, {"unix:/s"}, socket);

  EXPECT_EQ(socket.ShortDebugString(),
            "ref { socket_id: 1007 name: \"unix:/s uid=1000 gid=100 pid=42\" } "
            "data { streams_started: 5 streams_succeeded: 3 streams_failed: 1 keep_alives_sent: 2 "
            "local_flow_control_window { value: -1 } "
            "remote_flow_control_window { value: 65535 } "
            "option { name: \"SO_PEERCRED\" value: \"uid=1000 gid=100 pid=42\" } } "
            "local { uds_address { filename: \"/s\" } }");
}

TEST(ChannelzWire, AnAddressThatNobodyListensAtIsThePeers) {
  ConnectionReport report;
  report.peer = PeerIdentity("ipv4:10.0.0.1:5");
  channelz_wire::Socket socket;

  detail::write_socket(0, report, {"ipv4:10.0.0.2:80"}, socket);

  EXPECT_FALSE(socket.has_local());
  EXPECT_EQ(socket.remote().tcpip_address().port(), 5);
  EXPECT_EQ(socket.data().option_size(), 0);
}

TEST(ChannelzWire, AServerOfWhichNotAllIsKnownHasNoCounts) {
  const Server server;
  const detail::ShownServer shown{1'000, "a", ServerView(server)};
  ServerReport report;
  report.addresses = {"unix:/s"};
  report.calls = {5, 3, 1};
  channelz_wire::Server whole;
  channelz_wire::Server part;

  detail::write_server(shown, report, whole);
  report.is_whole = false;
  detail::write_server(shown, report, part);

  EXPECT_EQ(whole.ShortDebugString(),
            "ref { server_id: 1000 name: \"a\" } "
            "data { calls_started: 5 calls_succeeded: 3 calls_failed: 1 } "
            "listen_socket { socket_id: 1000000000000 name: \"unix:/s\" }");
  EXPECT_FALSE(part.has_data());
}

}  // namespace
}  // namespace nearcall::test

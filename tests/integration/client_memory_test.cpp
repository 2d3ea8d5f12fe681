// SPDX-License-Identifier: Apache-2.0
// Servers that flood a client and never listen: what the client's process keeps for them.
#include "integration/both_drivers.hpp"
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"
#include "support/attack_frames.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::FrameType;

/// More than any budget, and than what the kernel buffers.
constexpr std::size_t flood_size = (is_sanitized ? 4 : 64) * mebibyte;
/// Scratch buffers, the allocator's slack, the output that a connection may have (1 MiB).
constexpr std::size_t allowed_growth = 4 * mebibyte;

/// A client in a process of its own: it makes one call, and exits with 0 if that failed.
class ClientMemory : public testing::TestWithParam<ClientDriver> {
 protected:
  ClientMemory() {
    const detail::SocketAddress address = detail::SocketAddress::unix_path(path_);
    EXPECT_EQ(::bind(listening_.get(), address.get(), address.size()), 0);
    EXPECT_EQ(::listen(listening_.get(), 1), 0);
  }
  static int call_once(const std::string& path, ClientDriver driver) {
    set_log_handler([](LogLevel, std::string_view) {});
    Channel channel("unix:" + path);
    return converse(driver, Echo::Client(channel), Conversation()).ok() ? 1 : 0;
  }
  /// The client's connection, once its call has come.
  FramePeer take_call() {
    pollfd look{listening_.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&look, 1, 20'000), 1);
    detail::UniqueFd socket(
        ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    FramePeer peer(http2::Role::server, std::make_unique<detail::SocketTransport>(
                                            std::move(socket), PeerIdentity("unix:")));
    EXPECT_TRUE(awaits_call(peer));
    return peer;
  }
  /// Floods the client with `frame`, deaf, until it takes no more; how much its process grew.
  std::size_t growth_under(const std::string& frame) {
    std::string block;
    while (block.size() < mebibyte)
      block += frame;
    ChildProcess client([&] { return call_once(path_, GetParam()); });
    std::size_t growth = 0;
    {
      FramePeer peer = take_call();
      const std::size_t before = resident_bytes(client.pid());
      std::size_t most = before;
      for (std::size_t said = 0; said < flood_size; said += block.size()) {
        const bool takes_all = peer.say_deaf(block) == block.size();
        most = std::max(most, resident_bytes(client.pid()));
        if (!takes_all) break;
      }
      growth = most - before;
    }
    EXPECT_EQ(client.wait(), 0) << "the call failed when the server was gone";
    RecordProperty("memory_growth_kib", static_cast<int>(growth / 1024));
    return growth;
  }

  LogCapture log_;
  TempDir folder_;
  const std::string path_ = folder_.file("hostile.sock");
  const detail::UniqueFd listening_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         ClientMemory,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(ClientMemory, StaysUnderAFloodOfSettings) {
  const std::size_t growth =
      growth_under(frames::settings({{http2::SettingId::initial_window_size, 65'535}}));

  if (!is_sanitized) {
    EXPECT_LE(growth, allowed_growth);
  }
}

TEST_P(ClientMemory, StaysUnderAFloodOfPings) {
  const std::size_t growth = growth_under(frames::ping("flooding"));

  if (!is_sanitized) {
    EXPECT_LE(growth, allowed_growth);
  }
}

// ---- what many calls keep -----------------------------------------------------------------------

constexpr http2::StreamId many_calls = 1000;

/// All calls are there; the first of them is listened to, and so all are.
Status listen_blocking(const Echo::Client& echo) {
  std::vector<decltype(echo.Chat(CallOptions()))> chats;
  for (http2::StreamId n = 0; n < many_calls; ++n)
    chats.push_back(echo.Chat(CallOptions()));
  while (chats.front().read()) {
  }
  return chats.front().finish();
}

Task<void> listen_awaiting(const Echo::Client& echo, Status* status) {
  std::vector<decltype(echo.ChatAsync(CallOptions()))> chats;
  for (http2::StreamId n = 0; n < many_calls; ++n)
    chats.push_back(echo.ChatAsync(CallOptions()));
  EchoReply reply;
  while (co_await chats.front().read(reply)) {
  }
  *status = co_await chats.front().finish();
}

/// A client with a thousand calls on one connection.
class MemoryOfManyCalls : public ClientMemory {
 protected:
  static int call_often(const std::string& path, ClientDriver driver) {
    set_log_handler([](LogLevel, std::string_view) {});
    Channel channel("unix:" + path, ChannelOptions().max_connections(1));
    const Echo::Client echo(channel);
    Status status;
    if (driver == ClientDriver::blocking) {
      status = listen_blocking(echo);
    } else {
      sync_wait(listen_awaiting(echo, &status));
    }
    return status.ok() ? 1 : 0;
  }
  /// How much the client grew when it had this said to each of its calls but the first, and had
  /// taken it.
  std::size_t growth_under(const std::function<std::string(http2::StreamId)>& answer) {
    std::string answers;
    for (http2::StreamId n = 1; n < many_calls; ++n)
      answers += answer(n);
    ChildProcess client([&] { return call_often(path_, GetParam()); });
    std::size_t growth = 0;
    {
      FramePeer peer = take_call();
      EXPECT_TRUE(
          peer.hear_until([&] { return peer.frames_heard(FrameType::headers) >= many_calls; }));
      const std::size_t before = resident_bytes(client.pid());
      EXPECT_TRUE(peer.say(answers + frames::ping("all said")));
      EXPECT_TRUE(peer.hear_until([&] { return peer.frames_heard(FrameType::ping) > 0; }));
      const std::size_t now = resident_bytes(client.pid());
      growth = now > before ? now - before : 0;
    }
    EXPECT_EQ(client.wait(), 0) << "the call failed when the server was gone";
    RecordProperty("memory_growth_kib", static_cast<int>(growth / 1024));
    return growth;
  }
  static void expect_small(std::size_t growth) {
    if (!is_sanitized) {
      EXPECT_LE(growth, 2 * mebibyte);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         MemoryOfManyCalls,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

std::string commas_in_headers(http2::StreamId n, std::string_view commas) {
  return frames::block_in_frames(frames::nth_stream(n), frames::response_block().append(commas));
}

std::string commas_in_trailers(http2::StreamId n, std::string_view commas) {
  return frames::headers(frames::nth_stream(n), frames::response_block()) +
         frames::block_in_frames(frames::nth_stream(n), frames::trailers_block().append(commas),
                                 http2::frame_flag::end_stream);
}

TEST_P(MemoryOfManyCalls, StaysSmallWhereHeadersAreCommas) {
  expect_small(
      growth_under([](http2::StreamId n) { return commas_in_headers(n, frames::commas(8000)); }));
}

TEST_P(MemoryOfManyCalls, StaysSmallWhereHeadersAreCommasOfTheTable) {
  expect_small(growth_under([](http2::StreamId n) {
    return commas_in_headers(n, frames::commas_of_table(/*is_first_block=*/n == 1));
  }));
}

TEST_P(MemoryOfManyCalls, StaysSmallWhereTrailersAreCommas) {
  expect_small(
      growth_under([](http2::StreamId n) { return commas_in_trailers(n, frames::commas(8000)); }));
}

TEST_P(MemoryOfManyCalls, StaysSmallWhereTrailersAreCommasOfTheTable) {
  expect_small(growth_under([](http2::StreamId n) {
    return commas_in_trailers(n, frames::commas_of_table(/*is_first_block=*/n == 1));
  }));
}

}  // namespace
}  // namespace nearcall::test

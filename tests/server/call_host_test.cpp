// SPDX-License-Identifier: Apache-2.0
// CallHost: how much a connection says that it holds.
#include "server/call_host.hpp"

#include "server/connection_quota.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// A connection that is told nothing, and has one stream.
class Host final : public PumpHandler, public CallHost {
 public:
  Host(EventLoop& loop, ServerShared& shared, std::unique_ptr<Transport> transport)
      : CallHost(shared, pump_, driver_),
        pump_(std::move(transport), http2::Role::client, {}, *this, Access::core(loop).now()),
        driver_(Access::core(loop), pump_) {
    if (auto place = shared.quota().take(0)) place_ = *std::move(place);
  }

  void queue(std::size_t bytes) {
    const SessionCommands session = commands();
    http2::Stream& stream = session->open_stream(http2::HeaderTemplate::none(), {}, false, nullptr);
    const std::string text(bytes, 'x');
    session->send_data(stream, OwnedBytes::copy_of(std::as_bytes(std::span(text))), false);
  }
  int reports() const { return reports_; }
  int rooms() const { return rooms_; }

  void on_event(const http2::Event& /*event*/) override {}
  void on_end(EndReason /*reason*/, std::string_view /*what*/) override {}
  void hold(ServerCall& /*call*/, Room /*lacking*/) override {}
  void release(ServerCall& /*call*/) override {}

 private:
  void on_room_for_requests() noexcept override { ++rooms_; }
  ConnectionQuota::Place& place() noexcept override {
    ++reports_;
    return place_;
  }

  ConnectionQuota::Place place_;
  Pump pump_;
  LoopDriver driver_;
  int reports_ = 0;
  int rooms_ = 0;
};

TEST(CallHost, SaysHowMuchItHoldsWhereThatHasChangedByMuch) {
  EventLoop loop;
  ServerShared shared{ServerOptions()};
  Result<SocketPair> pair = make_socketpair();
  ASSERT_TRUE(pair);
  Host host(loop, shared, std::move(pair->first));
  host.note_load();
  EXPECT_EQ(host.reports(), 0);

  host.queue(15'000);
  host.note_load();
  const int after_little = host.reports();
  host.queue(17'000);
  host.note_load();
  host.note_load();

  EXPECT_EQ(after_little, 0);
  EXPECT_EQ(host.reports(), 1);
}

TEST(CallHost, HasRoomForLargeRequestsUntilHandlersHoldTooMuch) {
  EventLoop loop;
  ServerShared shared{ServerOptions()};
  Result<SocketPair> pair = make_socketpair();
  ASSERT_TRUE(pair);
  Host host(loop, shared, std::move(pair->first));
  const std::size_t most = ConnectionLimits().max_held_requests;

  host.note_held_request(0, most - 1);
  EXPECT_TRUE(host.may_take_request(1'000'000));
  host.note_held_request(0, 1);
  EXPECT_FALSE(host.may_take_request(1'000'000));
  host.commands()->hold_input(true);
  EXPECT_TRUE(host.may_take_request(60'000));
  EXPECT_EQ(host.rooms(), 0);

  host.note_held_request(1, 0);
  EXPECT_TRUE(host.may_take_request(1'000'000));
  EXPECT_EQ(host.rooms(), 1);
}

}  // namespace
}  // namespace nearcall::inline v0::detail

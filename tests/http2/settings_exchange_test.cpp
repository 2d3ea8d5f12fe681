// SPDX-License-Identifier: Apache-2.0
// SettingsExchange: one of ours at a time, and theirs entry by entry.
#include "http2/settings_exchange.hpp"

#include "http2/common.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr TimePoint exchange_start{std::chrono::hours(1)};

std::vector<std::byte> entries_of(const std::vector<Setting>& settings) {
  std::vector<std::byte> bytes(settings.size() * payload_size::setting);
  for (std::size_t i = 0; i < settings.size(); ++i) {
    store_setting(bytes.data() + i * payload_size::setting, settings[i]);
  }
  return bytes;
}

TEST(SettingsExchange, AnAckBelongsToOneSettings) {
  SettingsExchange exchange(test::client);
  EXPECT_FALSE(exchange.acknowledge()) << "nothing was sent";
  EXPECT_EQ(exchange.awaiting_since(), no_deadline);

  exchange.sent(exchange_start);
  EXPECT_FALSE(exchange.may_send());
  EXPECT_EQ(exchange.awaiting_since(), exchange_start);
  EXPECT_TRUE(exchange.acknowledge());

  EXPECT_TRUE(exchange.may_send());
  EXPECT_EQ(exchange.awaiting_since(), no_deadline);
  const auto again = exchange.acknowledge();
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is_connection_error());
  EXPECT_EQ(again.error().code, ErrorCode::protocol_error);
}

TEST(SettingsExchange, TheTimeForAnAckBeginsAnewWhereThereIsAReason) {
  SettingsExchange exchange(test::server);
  exchange.sent(exchange_start);

  exchange.restart_clock(exchange_start + std::chrono::seconds(1));

  EXPECT_EQ(exchange.awaiting_since(), exchange_start + std::chrono::seconds(1));
}

TEST(SettingsExchange, EntriesAreTakenOneByOne) {
  SettingsExchange exchange(test::server);
  constexpr auto unknown = static_cast<SettingId>(0xabcd);
  const std::vector<std::byte> entries =
      entries_of({{SettingId::initial_window_size, 70'000}, {unknown, 7}});

  exchange.begin(entries);
  ASSERT_TRUE(exchange.is_reading());
  const auto known = exchange.next();
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->is_known);
  EXPECT_EQ(exchange.theirs().initial_window_size, 70'000U);
  const auto other = exchange.next();
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->is_known);
  EXPECT_EQ(other->setting, (Setting{unknown, 7}));
  EXPECT_FALSE(exchange.has_entry());

  EXPECT_EQ(exchange.finish(), 70'000 - 65'535);
  EXPECT_FALSE(exchange.is_reading());
}

TEST(SettingsExchange, SettingsWithoutEntriesHaveToBeFinishedToo) {
  SettingsExchange exchange(test::server);

  exchange.begin({});

  EXPECT_TRUE(exchange.is_reading());
  EXPECT_FALSE(exchange.has_entry());
  EXPECT_EQ(exchange.finish(), 0);
}

TEST(SettingsExchange, WindowsChangeByWhatTheFrameCameToAndMayShrink) {
  SettingsExchange exchange(test::server);
  const std::vector<std::byte> entries = entries_of(
      {{SettingId::initial_window_size, 100'000}, {SettingId::initial_window_size, 1000}});

  exchange.begin(entries);
  while (exchange.has_entry()) {
    ASSERT_TRUE(exchange.next());
  }

  EXPECT_EQ(exchange.finish(), 1000 - 65'535);
}

TEST(SettingsExchange, OnlyAServerMayNotAskForPushes) {
  const std::vector<std::byte> push = entries_of({{SettingId::enable_push, 1}});
  SettingsExchange of_server(test::server);
  SettingsExchange of_client(test::client);

  of_server.begin(push);
  of_client.begin(push);

  EXPECT_TRUE(of_server.next());
  EXPECT_FALSE(of_client.next());
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2

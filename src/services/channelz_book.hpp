// SPDX-License-Identifier: Apache-2.0
// ChannelzBook: what a program shows by channelz, and the ids that it has there.
#pragma once

#include <nearcall/server_view.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// The ids of channelz, none of which is ever another's: what was added has a multiple of `span`,
/// in the order in which it was; a connection of it has its number above that, and so 31 years at
/// 1,000 connections a second.
struct ChannelzId {
  static constexpr std::uint64_t span = 1'000'000'000'000;
  /// What a server listens on has the numbers from there on.
  static constexpr std::uint64_t first_listener = span - 1'000;

  /// Nothing of negative ones.
  static std::optional<ChannelzId> parse(std::int64_t id) noexcept {
    if (id < 0) return std::nullopt;
    const auto value = static_cast<std::uint64_t>(id);
    return ChannelzId{value / span * span, value % span};
  }

  std::uint64_t owner;
  std::uint64_t number;
};

/// A server that was added.
struct ShownServer {
  std::uint64_t id;
  std::string name;
  ServerView view;
};

/// What was added and is still there.
///
/// Thread safety: any thread.
class ChannelzBook {
 public:
  template <class Shown>
  struct Page {
    std::vector<std::shared_ptr<const Shown>> shown;
    bool has_more = false;
  };

  /// Of those that ask: each has all loops of what it asks for look at what they have.
  static constexpr int max_visits = 16;

  /// One who asks.
  class Visit {
   public:
    explicit Visit(ChannelzBook& book) noexcept : book_(&book), number_(++book.visits_) {}
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { --book_->visits_; }

    bool is_beyond_limit() const noexcept { return number_ > max_visits; }

   private:
    ChannelzBook* book_;
    const int number_;
  };

  void add(ServerView view, std::string name);
  /// Null: there is none.
  std::shared_ptr<const ShownServer> server(std::int64_t id) const;
  /// Those with this id and higher ones, in order.
  Page<ShownServer> servers(std::uint64_t start, std::size_t most);

 private:
  std::atomic<int> visits_{0};
  mutable std::mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::vector<std::shared_ptr<const ShownServer>> servers_;
};

}  // namespace nearcall::inline v0::detail

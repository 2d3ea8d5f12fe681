// SPDX-License-Identifier: Apache-2.0
// ConnectionTally: what a connection has done, while it is there and after its end.
#pragma once

#include "connection/pump.hpp"

#include <nearcall/connection_report.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// What a connection has done. Its session counts what is needed for that anyway; here only what is
/// unusual is: calls that were answered with an error, and how all stood when it ended.
///
/// Thread safety: the driver's.
class ConnectionTally {
 public:
  explicit ConnectionTally(std::uint64_t number = 0) noexcept : number_(number) {}

  std::uint64_t number() const noexcept { return number_; }
  /// A call's stream ends well, with another status than OK.
  void note_failed_answer() noexcept { ++failed_answers_; }
  /// The connection has ended, and its streams are still there.
  void freeze(Pump& pump) noexcept {
    const http2::SessionStats stats = pump.session().stats();
    started_ = stats.streams_opened;
    failed_streams_ = stats.streams_failed + pump.session().count_unfinished();
    is_frozen_ = true;
  }

  CallCounts calls(const Pump& pump) const noexcept {
    const Streams streams = this->streams(pump);
    const std::uint64_t done = streams.started - std::min(streams.open, streams.started);
    const std::uint64_t failed = std::min(streams.failed + failed_answers_, done);
    return {streams.started, done - failed, failed};
  }
  ConnectionReport report(const Pump& pump) const {
    const Streams streams = this->streams(pump);
    const http2::SessionStats stats = pump.session().stats();
    ConnectionReport report;
    report.number = number_;
    report.peer = pump.peer();
    report.streams_started = streams.started;
    report.streams_failed = streams.failed;
    report.streams_succeeded =
        streams.started - std::min(streams.open + streams.failed, streams.started);
    report.keepalives_sent = pump.keep_alives_sent();
    report.send_window = stats.send_window;
    report.receive_window = stats.receive_window;
    return report;
  }

 private:
  struct Streams {
    std::uint64_t started;
    std::uint64_t failed;
    std::uint64_t open;
  };

  Streams streams(const Pump& pump) const noexcept {
    if (is_frozen_) return {started_, failed_streams_, 0};
    const http2::SessionStats stats = pump.session().stats();
    return {stats.streams_opened, stats.streams_failed, pump.session().stream_count()};
  }

  const std::uint64_t number_;
  std::uint64_t failed_answers_ = 0;
  std::uint64_t started_ = 0;
  std::uint64_t failed_streams_ = 0;
  bool is_frozen_ = false;
};

/// Adds what others have.
inline void add_counts(CallCounts& to, const CallCounts& others) noexcept {
  to.started += others.started;
  to.succeeded += others.succeeded;
  to.failed += others.failed;
}

/// Adds connections to others, both in the order of their numbers; of all of them it keeps `most`.
/// False if that are not all.
inline bool merge_first(std::vector<ConnectionReport>& others,
                        std::vector<ConnectionReport>&& connections,
                        std::size_t most) {
  std::vector<ConnectionReport> all;
  all.reserve(others.size() + connections.size());
  std::merge(std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()),
             std::make_move_iterator(connections.begin()),
             std::make_move_iterator(connections.end()), std::back_inserter(all),
             [](const ConnectionReport& left, const ConnectionReport& right) {
               return left.number < right.number;
             });
  others = std::move(all);
  if (others.size() <= most) return true;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(most), others.end());
  return false;
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Meter: warm-up, then a window of time in which calls, their latencies and CPU time are counted.
#pragma once

#include "common/options.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace bench {

using Clock = std::chrono::steady_clock;

/// Durations in nanoseconds, in buckets that are at most 1/64 of their value wide.
class Histogram {
 public:
  void add(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    ++(*buckets_)[bucket_of(value)];
    ++count_;
  }
  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < bucket_count; ++i) {
      (*buckets_)[i] += (*other.buckets_)[i];
    }
    count_ += other.count_;
  }
  std::uint64_t count() const { return count_; }
  /// The value that `fraction` of the durations do not exceed; 0 when there are none.
  std::uint64_t quantile(double fraction) const {
    const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
      seen += (*buckets_)[i];
      if (seen > rank) return middle_of(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned precision = 6;
  static constexpr std::size_t bucket_count = std::size_t{48} << precision;

  static std::size_t bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value | 1U));
    if (width <= precision + 1) return value;
    const unsigned shift = width - precision - 1;
    return std::min((std::size_t{shift} << precision) + (value >> shift), bucket_count - 1);
  }
  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < (std::size_t{2} << precision)) return bucket;
    const std::uint64_t shift = (bucket >> precision) - 1;
    const std::uint64_t low = (bucket - (shift << precision)) << shift;
    return low + ((std::uint64_t{1} << shift) / 2);
  }

  using Buckets = std::array<std::uint64_t, bucket_count>;
  std::unique_ptr<Buckets> buckets_ = std::make_unique<Buckets>();
  std::uint64_t count_ = 0;
};

/// The CPU time that two processes have used so far, in nanoseconds.
struct CpuTimes {
  std::int64_t client = 0;
  std::int64_t server = 0;

  static CpuTimes now(pid_t server_pid) {
    CpuTimes times;
    times.client = read(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t server_clock{};
    if (server_pid > 0 && clock_getcpuclockid(server_pid, &server_clock) == 0) {
      times.server = read(server_clock);
    }
    return times;
  }

 private:
  static std::int64_t read(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0) return 0;
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }
};

/// Counts what one thread does: first the warm-up, then the window.
///
/// Thread safety: none. Several threads have a Meter each, with the same start; merge() afterwards.
class Meter {
 public:
  explicit Meter(const Options& options, Clock::time_point start = Clock::now())
      : options_(options),
        begin_(start + std::chrono::duration_cast<Clock::duration>(options.warmup)),
        end_(begin_ + std::chrono::duration_cast<Clock::duration>(options.seconds)) {
    if (options.calls > 0) open(start);
  }

  /// A call, or an exchange in a stream, that began at `started` is over at `now`. Returns whether
  /// another one is to begin.
  bool call_done(Clock::time_point started, Clock::time_point now) {
    return add(1, started, now, /*has_latency=*/true);
  }
  /// `count` more messages of a stream have passed.
  bool messages_done(std::uint64_t count) {
    return add(count, begin_, Clock::now(), /*has_latency=*/false);
  }
  bool is_over() const { return phase_ == Phase::over; }
  /// Calls, or messages, of the window.
  std::uint64_t count() const { return calls_; }
  const Histogram& latencies() const { return latencies_; }

  void merge(const Meter& other) {
    latencies_.merge(other.latencies_);
    calls_ += other.calls_;
    phase_ = Phase::over;
  }

  /// One line of JSON for the driver.
  void print() const {
    const double seconds = std::chrono::duration<double>(closed_ - opened_).count();
    std::printf(
        R"({"count": %llu, "seconds": %.9f, "p50_ns": %llu, "p99_ns": %llu, "cpu_client_ns": %lld, )"
        R"("cpu_server_ns": %lld})"
        "\n",
        ull(calls_), seconds, ull(latencies_.quantile(0.5)), ull(latencies_.quantile(0.99)),
        static_cast<long long>(cpu_.client), static_cast<long long>(cpu_.server));
    std::fflush(stdout);
  }

 private:
  enum class Phase : std::uint8_t { warming, counting, over };

  static unsigned long long ull(std::uint64_t value) { return value; }

  bool add(std::uint64_t count,
           Clock::time_point started,
           Clock::time_point now,
           bool has_latency) {
    if (phase_ == Phase::counting) {
      calls_ += count;
      if (has_latency && started >= opened_) latencies_.add((now - started).count());
      if (options_.calls > 0 ? calls_ >= options_.calls : now >= end_) close(now);
    } else if (phase_ == Phase::warming && now >= begin_) {
      open(now);
    }
    return phase_ != Phase::over;
  }
  void open(Clock::time_point now) {
    cpu_ = CpuTimes::now(options_.server_pid);
    opened_ = now;
    end_ = now + (end_ - begin_);
    phase_ = Phase::counting;
  }
  void close(Clock::time_point now) {
    const CpuTimes end = CpuTimes::now(options_.server_pid);
    cpu_.client = end.client - cpu_.client;
    cpu_.server = end.server - cpu_.server;
    closed_ = now;
    phase_ = Phase::over;
  }

  const Options& options_;
  Clock::time_point begin_;
  Clock::time_point end_;
  Clock::time_point opened_;
  Clock::time_point closed_;
  CpuTimes cpu_;
  Histogram latencies_;
  std::uint64_t calls_ = 0;
  Phase phase_ = Phase::warming;
};

}  // namespace bench

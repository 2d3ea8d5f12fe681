// SPDX-License-Identifier: Apache-2.0
// The process-wide log handler.
#include "base/log.hpp"

#include "base/quote.hpp"

#include <cstdio>
#include <memory>
#include <mutex>

namespace nearcall::inline v0 {
namespace {

struct Sink {
  std::mutex mutex;
  std::shared_ptr<LogHandler> handler;
};

Sink& sink() {
  static Sink& instance = *new Sink;  // outlives static destructors that log
  return instance;
}

/// The lowest level that is logged; moved by set_log_handler only.
std::atomic<LogLevel> lowest{LogLevel::warning};

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "?";
}

void set_log_handler(LogHandler handler, LogLevel threshold) {
  Sink& to = sink();
  const std::lock_guard lock(to.mutex);
  if (handler) {
    to.handler = std::make_shared<LogHandler>(std::move(handler));
    lowest.store(threshold, std::memory_order_relaxed);
  } else {
    to.handler = nullptr;
    lowest.store(LogLevel::warning, std::memory_order_relaxed);
  }
}

}  // namespace nearcall::inline v0

namespace nearcall::inline v0::detail {

bool is_logged(LogLevel level) noexcept {
  return level >= lowest.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view line) {
  std::shared_ptr<LogHandler> handler;
  {
    Sink& from = sink();
    const std::lock_guard lock(from.mutex);
    handler = from.handler;
  }
  const std::string safe = escaped(line);
  if (handler) {
    (*handler)(level, safe);
  } else {
    std::fprintf(stderr, "nearcall %s: %s\n", to_string(level).data(), safe.c_str());
  }
}

std::optional<std::uint64_t> LogLimiter::admit(TimePoint now) noexcept {
  const std::int64_t at = now.time_since_epoch().count();
  std::int64_t next = next_.load(std::memory_order_relaxed);
  while (at >= next) {
    const std::int64_t later = at + Duration(std::chrono::seconds(1)).count();
    if (next_.compare_exchange_weak(next, later, std::memory_order_relaxed)) {
      return swallowed_.exchange(0, std::memory_order_relaxed);
    }
  }
  swallowed_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

}  // namespace nearcall::inline v0::detail

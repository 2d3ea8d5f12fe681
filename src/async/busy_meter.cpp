// SPDX-License-Identifier: Apache-2.0
// The labels of this thread, and what is said about them.
#include "async/busy_meter.hpp"

#include <span>

namespace nearcall::inline v0::detail {
namespace {

/// The label of what runs, and the first few that ran since they were last cleared.
struct Labels {
  std::string_view current;
  std::array<std::string_view, 4> seen;
  std::size_t count = 0;
  bool has_more = false;

  void note(std::string_view label) noexcept {
    if (label.empty()) return;
    for (const std::string_view& other : std::span(seen).first(count)) {
      if (other.data() == label.data()) return;
    }
    if (count == seen.size()) {
      has_more = true;
    } else {
      seen[count++] = label;
    }
  }
};

constinit thread_local Labels labels;

}  // namespace

// Out of line, all of them: a coroutine that moves between threads must not keep the address of a
// thread_local.

[[gnu::noinline]] BusyLabel::BusyLabel(std::string_view label) noexcept : before_(labels.current) {
  labels.current = label;
  labels.note(label);
}

[[gnu::noinline]] BusyLabel::~BusyLabel() {
  labels.current = before_;
}

[[gnu::noinline]] std::string_view BusyLabel::current() noexcept {
  return labels.current;
}

[[gnu::noinline]] void BusyMeter::clear_labels() noexcept {
  labels.count = 0;
  labels.has_more = false;
}

std::optional<std::string> BusyMeter::describe(Duration took, std::string_view unnamed) {
  std::string names(unnamed);
  const std::span<const std::string_view> seen = std::span(labels.seen).first(labels.count);
  if (!seen.empty()) {
    names = seen.size() > 1 ? "one of " : "";
    for (const std::string_view& label : seen) {
      if (&label != seen.data()) names += ", ";
      names += label;
    }
    if (labels.has_more) names += " and others";
  }
  clear_labels();
  if (names.empty()) return std::nullopt;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  return "event loop occupied for " + std::to_string(milliseconds) + " ms by " + names;
}

}  // namespace nearcall::inline v0::detail

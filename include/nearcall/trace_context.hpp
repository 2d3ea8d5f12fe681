// SPDX-License-Identifier: Apache-2.0
// TraceContext: where in a trace a call belongs, as W3C Trace Context carries it.
#pragma once

#include <nearcall/metadata.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Where in a trace a call belongs: what `traceparent` and `tracestate` say (W3C Trace Context 1).
/// What is not exactly as the standard has it is no context: nobody is told, and the call goes on
/// without.
///
/// A value. Thread safety: as a std::string.
class TraceContext {
 public:
  /// Of a call that was received; nothing without one `traceparent` that is right. A `tracestate`
  /// that is not right, or longer than 512 bytes, is left out.
  static std::optional<TraceContext> from(const Metadata& metadata);
  static std::optional<TraceContext> parse(std::string_view traceparent,
                                           std::string_view tracestate = {});
  /// A new trace. `is_sampled`: whoever takes part may record it.
  static TraceContext start(bool is_sampled = true);
  /// The same trace, and a new span in it: of a call that is made for this one.
  TraceContext child() const;

  /// 32 and 16 digits, 0-9a-f.
  std::string trace_id() const;
  std::string span_id() const;
  bool is_sampled() const noexcept { return is_sampled_; }
  /// "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  std::string traceparent() const;
  /// What tracing systems keep for themselves: handed on as it is.
  const std::string& tracestate() const noexcept { return tracestate_; }

  friend bool operator==(const TraceContext&, const TraceContext&) = default;

 private:
  TraceContext() = default;

  std::array<std::uint64_t, 2> trace_id_{};
  std::uint64_t span_id_ = 0;
  bool is_sampled_ = false;
  std::string tracestate_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

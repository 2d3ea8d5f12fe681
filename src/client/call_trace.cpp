// SPDX-License-Identifier: Apache-2.0
// How a call takes over, or is given, its place in a trace.
#include <nearcall/call_options.hpp>
#include <nearcall/trace_context.hpp>

#include <utility>

namespace nearcall::inline v0 {

CallOptions& CallOptions::trace(const TraceContext& context) & {
  Metadata others;
  for (const Metadata::Entry& entry : std::exchange(metadata_, {})) {
    if (entry.key() == "traceparent" || entry.key() == "tracestate") continue;
    static_cast<void>(others.add(entry.key(), entry.value()));
  }
  metadata_ = std::move(others);
  metadata("traceparent", context.traceparent());
  if (!context.tracestate().empty()) metadata("tracestate", context.tracestate());
  return *this;
}

CallOptions CallOptions::trace(const TraceContext& context) && {
  return std::move(trace(context));
}

void CallOptions::take_over_trace(const Metadata& served) {
  if (const std::optional<TraceContext> context = TraceContext::from(served))
    trace(context->child());
}

}  // namespace nearcall::inline v0

// SPDX-License-Identifier: Apache-2.0
// LimitSet: some of the limits of a connection, for tests that name them where they use them.
#pragma once

#include <nearcall/connection_limits.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace nearcall::test {

/// ConnectionLimits that differ from the defaults in what is named: `greet({.max_refusals = 2})`.
struct LimitSet {
  std::optional<std::uint32_t> max_concurrent_streams = {};
  std::optional<std::uint32_t> max_new_streams_per_turn = {};
  std::optional<std::uint32_t> max_resets_outstanding = {};
  std::optional<std::uint32_t> max_refusals = {};
  std::optional<std::uint32_t> refusals_per_second = {};
  std::optional<std::uint32_t> max_induced_frames = {};
  std::optional<std::uint32_t> max_induced_frames_ever = {};
  std::optional<std::uint32_t> max_header_list_size = {};
  std::optional<std::uint32_t> max_header_fields = {};
  std::optional<std::uint32_t> max_header_block_size = {};
  std::optional<std::uint32_t> max_continuations = {};
  std::optional<std::uint32_t> max_buffered_headers = {};
  std::optional<std::uint32_t> max_informational = {};
  std::optional<std::uint32_t> max_settings_entries = {};
  std::optional<std::uint32_t> max_unknown_payload = {};
  std::optional<std::uint32_t> max_goaway_debug = {};
  std::optional<std::uint32_t> max_empty_data = {};
  std::optional<std::uint32_t> max_overhead_frames = {};
  std::optional<std::uint32_t> tiny_payload = {};
  std::optional<std::uint32_t> max_buffered_input = {};
  std::optional<std::size_t> max_buffered_output_stream = {};
  std::optional<std::size_t> max_buffered_output = {};
  std::optional<std::size_t> max_buffered_output_of_new_calls = {};
  std::optional<std::size_t> max_held_requests = {};
  std::optional<std::uint32_t> max_sent_header_list_size = {};
  std::optional<std::chrono::nanoseconds> handshake_timeout = {};
  std::optional<std::chrono::nanoseconds> header_block_timeout = {};
  std::optional<std::chrono::nanoseconds> settings_timeout = {};
  std::optional<std::chrono::nanoseconds> linger_timeout = {};
  std::optional<std::chrono::nanoseconds> min_ping_interval = {};
  std::optional<std::chrono::nanoseconds> min_ping_interval_without_calls = {};
  std::optional<std::chrono::nanoseconds> stall_timeout = {};

  operator ConnectionLimits() const {
    ConnectionLimits limits;
    limits.max_concurrent_streams = max_concurrent_streams.value_or(limits.max_concurrent_streams);
    limits.max_new_streams_per_turn =
        max_new_streams_per_turn.value_or(limits.max_new_streams_per_turn);
    limits.max_resets_outstanding = max_resets_outstanding.value_or(limits.max_resets_outstanding);
    limits.max_refusals = max_refusals.value_or(limits.max_refusals);
    limits.refusals_per_second = refusals_per_second.value_or(limits.refusals_per_second);
    limits.max_induced_frames = max_induced_frames.value_or(limits.max_induced_frames);
    limits.max_induced_frames_ever =
        max_induced_frames_ever.value_or(limits.max_induced_frames_ever);
    limits.max_header_list_size = max_header_list_size.value_or(limits.max_header_list_size);
    limits.max_header_fields = max_header_fields.value_or(limits.max_header_fields);
    limits.max_header_block_size = max_header_block_size.value_or(limits.max_header_block_size);
    limits.max_continuations = max_continuations.value_or(limits.max_continuations);
    limits.max_buffered_headers = max_buffered_headers.value_or(limits.max_buffered_headers);
    limits.max_informational = max_informational.value_or(limits.max_informational);
    limits.max_settings_entries = max_settings_entries.value_or(limits.max_settings_entries);
    limits.max_unknown_payload = max_unknown_payload.value_or(limits.max_unknown_payload);
    limits.max_goaway_debug = max_goaway_debug.value_or(limits.max_goaway_debug);
    limits.max_empty_data = max_empty_data.value_or(limits.max_empty_data);
    limits.max_overhead_frames = max_overhead_frames.value_or(limits.max_overhead_frames);
    limits.tiny_payload = tiny_payload.value_or(limits.tiny_payload);
    limits.max_buffered_input = max_buffered_input.value_or(limits.max_buffered_input);
    limits.max_buffered_output_stream =
        max_buffered_output_stream.value_or(limits.max_buffered_output_stream);
    limits.max_buffered_output = max_buffered_output.value_or(limits.max_buffered_output);
    limits.max_buffered_output_of_new_calls =
        max_buffered_output_of_new_calls.value_or(limits.max_buffered_output_of_new_calls);
    limits.max_held_requests = max_held_requests.value_or(limits.max_held_requests);
    limits.max_sent_header_list_size =
        max_sent_header_list_size.value_or(limits.max_sent_header_list_size);
    limits.handshake_timeout = handshake_timeout.value_or(limits.handshake_timeout);
    limits.header_block_timeout = header_block_timeout.value_or(limits.header_block_timeout);
    limits.settings_timeout = settings_timeout.value_or(limits.settings_timeout);
    limits.linger_timeout = linger_timeout.value_or(limits.linger_timeout);
    limits.min_ping_interval = min_ping_interval.value_or(limits.min_ping_interval);
    limits.min_ping_interval_without_calls =
        min_ping_interval_without_calls.value_or(limits.min_ping_interval_without_calls);
    limits.stall_timeout = stall_timeout.value_or(limits.stall_timeout);
    return limits;
  }
};

}  // namespace nearcall::test

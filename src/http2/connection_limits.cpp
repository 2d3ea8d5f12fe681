// SPDX-License-Identifier: Apache-2.0
// ConnectionLimits: the range of each number, and what they owe each other.
#include <nearcall/connection_limits.hpp>

#include <algorithm>

namespace nearcall::inline v0 {
namespace {

constexpr std::uint32_t kibi = 1024;
constexpr std::uint32_t mebi = 1024 * kibi;
constexpr std::uint32_t gibi = 1024 * mebi;
constexpr std::uint32_t many = 1'000'000;
constexpr std::chrono::nanoseconds shortest = std::chrono::milliseconds(10);

/// The largest frame that every peer may send (RFC 9113 section 4.2), and most do.
constexpr std::uint32_t common_frame_size = 16 * kibi;
/// While memory is short each stream keeps a window of a quarter of this (InboundWindow).
constexpr std::uint32_t input_of_a_stream = 256;

template <class Number>
void keep(Number& number, Number least, Number most) noexcept {
  number = std::clamp(number, least, most);
}

}  // namespace

ConnectionLimits ConnectionLimits::within_range() const noexcept {
  ConnectionLimits all = *this;
  keep(all.max_concurrent_streams, 1U, many);
  keep(all.max_new_streams_per_turn, 1U, many);
  keep(all.max_resets_outstanding, 1U, many);
  keep(all.max_refusals, 1U, many);
  keep(all.refusals_per_second, 0U, many);
  keep(all.max_induced_frames, 10U, many);
  keep(all.max_induced_frames_ever, all.max_induced_frames, many);

  keep(all.max_header_list_size, kibi, 16 * mebi);
  keep(all.max_header_fields, 16U, 100'000U);
  keep(all.max_header_block_size, all.max_header_list_size, 16 * mebi);
  keep(all.max_continuations, all.max_header_block_size / common_frame_size + 1, 100'000U);
  keep(all.max_buffered_headers, kibi, gibi);
  keep(all.max_informational, 0U, many);
  keep(all.max_settings_entries, 16U, 10'000U);
  keep(all.max_unknown_payload, 0U, mebi);
  keep(all.max_goaway_debug, 0U, mebi);

  keep(all.max_empty_data, 1U, many);
  keep(all.max_overhead_frames, 100U, many);
  keep(all.tiny_payload, 1U, 64U);

  keep(all.max_buffered_input, std::max(128 * kibi, input_of_a_stream * all.max_concurrent_streams),
       gibi);
  keep(all.max_buffered_output_stream, std::size_t{0}, std::size_t{gibi});
  keep(all.max_buffered_output, std::size_t{0}, std::size_t{gibi});
  keep(all.max_buffered_output_of_new_calls, std::max<std::size_t>(kibi, all.max_buffered_output),
       std::size_t{gibi});
  keep(all.max_held_requests, std::size_t{kibi}, std::size_t{gibi});
  keep(all.max_sent_header_list_size, kibi, 16 * mebi);

  keep(all.min_ping_interval, std::chrono::nanoseconds::zero(), std::chrono::nanoseconds::max());
  keep(all.min_ping_interval_without_calls, std::chrono::nanoseconds::zero(),
       std::chrono::nanoseconds::max());

  for (std::chrono::nanoseconds* const timeout :
       {&all.handshake_timeout, &all.header_block_timeout, &all.settings_timeout,
        &all.linger_timeout, &all.stall_timeout}) {
    *timeout = std::max(*timeout, shortest);
  }
  return all;
}

}  // namespace nearcall::inline v0

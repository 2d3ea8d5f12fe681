// SPDX-License-Identifier: Apache-2.0
// ConnectionLimits: what one connection's peer may cost us, and the attack each budget answers.
#pragma once

#include <nearcall/version.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// The limits whose names and meanings follow the engine, and may change with a minor version. Few
/// programs need to know them; set them as those of ConnectionLimits, which has them all.
struct AdvancedLimits {
  constexpr AdvancedLimits() noexcept {}  // no list of values: members may be added

  /// A server's: new calls that are taken from the connection before others have their turn, 1 to
  /// 1,000,000; what was read beyond them waits. Fairness under floods of requests.
  std::uint32_t max_new_streams_per_turn = 32;
  /// Calls that a reset ended and whose owner has not released them yet, 1 to 1,000,000; then the
  /// connection ends. Rapid reset, where there are many slots.
  std::uint32_t max_resets_outstanding = 1000;
  /// A server's: requests that we refused (no slot, malformed, too large) and that no handler ever
  /// saw, 1 to 1,000,000; then the connection ends. One comes back with each call that is over, and
  /// `refusals_per_second` (0 to 1,000,000) with time.
  std::uint32_t max_refusals = 1000;
  std::uint32_t refusals_per_second = 1000;
  /// Frames that the peer made us write (ACKs, RST_STREAMs) and that have not been sent, 10 to
  /// 1,000,000. Beyond this we stop reading until they are; at `max_induced_frames_ever` (to
  /// 1,000,000, at least the other), from what had been read before, the connection ends: floods of
  /// PING, SETTINGS and resets (CVE-2019-9512, CVE-2019-9514, CVE-2019-9515).
  std::uint32_t max_induced_frames = 100;
  std::uint32_t max_induced_frames_ever = 20'000;

  /// The bytes of a header block as it comes (and a quarter of what its literals may come to, where
  /// two bytes can stand for a name as long as the table), to 16 MiB and never less than
  /// `max_header_list_size`, and the CONTINUATIONs it comes in, to 100,000 and never fewer than it
  /// takes in frames of 16 KiB: CONTINUATION flood (VU#421644). The connection ends.
  std::uint32_t max_header_block_size = 64 * 1024;
  std::uint32_t max_continuations = 8;
  /// The header lists of all calls under way together, in bytes as `max_header_list_size` counts, 1
  /// KiB to 1 GiB, and 1 KiB more for each open call beyond 1,000: calls that each hold as much
  /// metadata as they may. With as many kept a server refuses further calls (REFUSED_STREAM), a
  /// channel ends the call that gets more (RESOURCE_EXHAUSTED). A server keeps no trailers.
  std::uint32_t max_buffered_headers = 1024 * 1024;
  /// A channel's: 1xx responses before the final one, 0 to 1,000,000; then the call ends with
  /// RESOURCE_EXHAUSTED.
  std::uint32_t max_informational = 16;
  /// Entries of one SETTINGS frame, 16 to 10,000; the connection ends.
  std::uint32_t max_settings_entries = 32;
  /// The payload of a frame of an unknown type that is kept, in bytes, 0 to 1 MiB; a longer one is
  /// skipped.
  std::uint32_t max_unknown_payload = 16 * 1024;
  /// The text of a GOAWAY that is kept, in bytes, 0 to 1 MiB; the rest is skipped.
  std::uint32_t max_goaway_debug = 1024;

  /// Empty DATA frames without END_STREAM in a row, 1 to 1,000,000; then the connection ends:
  /// CVE-2019-9518.
  std::uint32_t max_empty_data = 100;
  /// DATA frames of less than `tiny_payload` bytes (1 to 64), PRIORITY, and frames for streams that
  /// were released beyond what may have been on its way, 100 to 1,000,000; then the connection
  /// ends. A frame that ends the stream or completes a message is free; `tiny_payload` consumed
  /// bytes pay for one frame: data dribble (RUSTSEC-2026-0258, CVE-2026-84304), resource loop
  /// (CVE-2019-9513).
  std::uint32_t max_overhead_frames = 10'000;
  std::uint32_t tiny_payload = 16;

  /// A server's: with as many bytes waiting no handler is begun, each of which could queue a large
  /// reply at once, and no streaming one reads on whose window is open; 1 KiB to 1 GiB, never less
  /// than `max_buffered_output`.
  std::size_t max_buffered_output_of_new_calls = std::size_t{16} * 1024 * 1024;
  /// A server's: what handlers of unary calls have of requests, as they are in memory, in bytes, 1
  /// KiB to 1 GiB. With as much, those of 64 KiB or more wait until handlers return, unparsed, and
  /// the peer waits before it sends more of them. Two bytes may be a field that takes 64.
  std::size_t max_held_requests = std::size_t{64} * 1024 * 1024;
  /// A server's: headers or trailers of one answer, in bytes and counting 32 a field, 1 KiB to 16
  /// MiB; less where the client takes less. Some clients lose the connection, and all its calls, to
  /// larger ones. Of trailers that are larger the status message is cut first, then metadata is
  /// left out; the code stays. Headers that are larger end the call with RESOURCE_EXHAUSTED.
  std::uint32_t max_sent_header_list_size = 8 * 1024;

  // From 10 ms; nanoseconds::max() is never.

  /// From the header of its first frame to the last byte of a header block: slow headers.
  std::chrono::nanoseconds header_block_timeout = std::chrono::seconds(5);
  /// From our SETTINGS to their ACK, while there are calls: SETTINGS_TIMEOUT.
  std::chrono::nanoseconds settings_timeout = std::chrono::seconds(30);
  /// A server's: what a client has, after the last answer of a connection that drains, to read it
  /// and to close; what it still sends, up to `max_buffered_input`, is thrown away. Whoever closes
  /// at once takes unread answers away from it: TCP drops them (RST), and some proxies do.
  std::chrono::nanoseconds linger_timeout = std::chrono::seconds(1);

  friend bool operator==(const AdvancedLimits&, const AdvancedLimits&) = default;
};

/// What the peer of one connection may cost us. A value:
///
///     ConnectionLimits limits;
///     limits.max_concurrent_streams = 100;
///     server_options.limits(limits);
///
/// Servers and channels keep all of them; some only one of the two can meet. Honest gRPC traffic
/// stays below the defaults: counts are of what is outstanding, or are paid back by useful work, so
/// that a busy peer is not mistaken for a hostile one. "The connection ends" with GOAWAY and the
/// code ENHANCE_YOUR_CALM, if nothing else is said.
///
/// Each has a range, which keeps honest peers working whatever is set; 0 is no special value. The
/// limits named here keep their names and meanings; those of AdvancedLimits may not.
struct ConnectionLimits : AdvancedLimits {
  constexpr ConnectionLimits() noexcept {}

  /// A server's: calls under way at a time, 1 to 1,000,000; what is beyond them is refused
  /// (REFUSED_STREAM). A slot is free when the handler has returned, whatever frames said before:
  /// rapid reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671).
  std::uint32_t max_concurrent_streams = 1000;
  /// A header list, decoded, in bytes and counting 32 a field (RFC 9113 section 6.5.2), 1 KiB to 16
  /// MiB, and its fields, 16 to 100,000: HPACK bombs (CVE-2016-6581, CVE-2026-49975). Metadata
  /// counts the same once more, where each value of a joined `-bin` field is one. The one call ends
  /// with RESOURCE_EXHAUSTED.
  std::uint32_t max_header_list_size = 16 * 1024;
  std::uint32_t max_header_fields = 128;
  /// Received bytes that nobody has read, all calls together, 128 KiB to 1 GiB and never less than
  /// 256 for each of `max_concurrent_streams`; one message more where a message is larger than what
  /// is left. Beyond it the peer must wait; the oldest messages are let in. 1,000 streams that send
  /// all but the last byte.
  std::uint32_t max_buffered_input = 16 * 1024 * 1024;
  /// Bytes that wait to be sent, of one call and of all, 0 to 1 GiB: zero windows and data dribble
  /// (CVE-2019-9511, CVE-2019-9517). Beyond them writers wait, in the order of coming. One message
  /// more may wait where a message is larger than what is left. Calls that the peer reads go on
  /// when others, which it does not read, use all of it: a message that its window covers may go
  /// beyond, one at a time. Messages in the hands of handlers that wait to write count too: beyond
  /// the budget no handler with a stream of replies whose window is closed begins, or gets a
  /// further request, so that it makes no message that nobody takes. A server also stops reading
  /// while as many bytes of headers and other frames (at least 2.25 MiB) wait that the peer does
  /// not take.
  std::size_t max_buffered_output_stream = std::size_t{1024} * 1024;
  std::size_t max_buffered_output = std::size_t{4} * 1024 * 1024;

  /// A server's: how far apart PINGs of a client have to be, and where it has no calls, from 0; two
  /// more are let pass (gRFC A8). One that comes after output for a call is free, whatever it
  /// measures. Keepalive of clients that is set too low, and floods (CVE-2019-9512). The connection
  /// ends, with "too_many_pings", upon which clients of gRPC take twice the time.
  std::chrono::nanoseconds min_ping_interval = std::chrono::seconds(300);
  std::chrono::nanoseconds min_ping_interval_without_calls = std::chrono::seconds(7200);

  // From 10 ms; nanoseconds::max() is never.

  /// A server's: from the start to the peer's preface and SETTINGS: silent connections. A channel
  /// has ChannelOptions::connect_timeout() instead.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);
  /// Without a byte moving while output waits that is no call's, while so much of it waits that we
  /// do not read, or while we drain.
  std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);

  /// The same with each number moved into its range; the options do it.
  ConnectionLimits within_range() const noexcept;

  friend bool operator==(const ConnectionLimits&, const ConnectionLimits&) = default;
};

// What may stand in a co_await expression (docs/gcc12.md).
static_assert(std::is_trivially_destructible_v<ConnectionLimits>);

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

// SPDX-License-Identifier: Apache-2.0
// Limits: every budget that a peer is held to, its default, and the attack that it answers.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>

namespace nearcall::http2 {

/// What one connection may cost us. Honest gRPC traffic stays below every one of these: counts are
/// of what is outstanding, or are paid back by useful work, so that a busy peer is not mistaken for
/// a hostile one. Both roles keep all of them.
struct Limits {
  /// Inbound streams at a time. A slot is free when the owner calls release(), whatever frames said
  /// before: rapid reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671).
  std::uint32_t max_concurrent_streams = 1000;
  /// New streams that a driver takes from one connection before the others have their turn; what
  /// was read beyond them waits. Fairness under floods of requests.
  std::uint32_t max_new_streams_per_turn = 32;
  /// Streams that a reset ended and whose owner has not released them yet; then ENHANCE_YOUR_CALM.
  /// The same attacks, where there are many slots.
  std::uint32_t max_resets_outstanding = 1000;
  /// Requests that we refused (no slot, malformed, too large) and that no owner ever saw. One comes
  /// back with each release() and `refusals_per_second` of them with time; then ENHANCE_YOUR_CALM.
  std::uint32_t max_refusals = 1000;
  std::uint32_t refusals_per_second = 1000;
  /// Frames that the peer made us write (ACKs, RST_STREAMs) and that have not been sent. Beyond
  /// this the owner is told to stop reading, far beyond it the connection ends: floods of PING,
  /// SETTINGS and resets (CVE-2019-9512, CVE-2019-9514, CVE-2019-9515).
  std::uint32_t max_induced_frames = 100;
  std::uint32_t max_induced_frames_ever = 20'000;

  /// A header list, decoded, counting 32 bytes a field (9113 6.5.2), and its fields: HPACK bombs
  /// (CVE-2016-6581, CVE-2026-49975). Only the one stream is refused.
  std::uint32_t max_header_list_size = 16 * 1024;
  std::uint32_t max_header_fields = 128;
  /// A header block as it comes, and the CONTINUATIONs it comes in: CONTINUATION flood
  /// (VU#421644). The connection ends.
  std::uint32_t max_header_block_size = 64 * 1024;
  std::uint32_t max_continuations = 8;
  /// 1xx responses before the final one.
  std::uint32_t max_informational = 16;
  /// Entries of one SETTINGS frame.
  std::uint32_t max_settings_entries = 32;
  /// The payload of an unknown frame that is shown to the owner; a longer one is skipped.
  std::uint32_t max_unknown_payload = 16 * 1024;
  /// The debug data of a GOAWAY that is kept.
  std::uint32_t max_goaway_debug = 1024;

  /// Empty DATA frames without END_STREAM in a row: CVE-2019-9518.
  std::uint32_t max_empty_data = 100;
  /// DATA frames of less than `tiny_payload` bytes, PRIORITY, and frames for streams that we let go
  /// of beyond what may have been on its way. A frame that ends the stream or completes a message
  /// is free; `tiny_payload` consumed bytes pay for one frame: data dribble (RUSTSEC-2026-0258,
  /// CVE-2026-84304), resource loop (CVE-2019-9513).
  std::uint32_t max_overhead_frames = 10'000;
  std::uint32_t tiny_payload = 16;

  /// Received bytes that the owners have not consumed, all streams together; one message more where
  /// a message is larger than what is left. 1,000 streams that send all but the last byte.
  std::uint32_t max_buffered_input = 16 * 1024 * 1024;
  /// Bytes that wait to be sent: zero windows and data dribble (CVE-2019-9511, CVE-2019-9517).
  /// Beyond them is_writable() is false, except that a stream without any queued bytes may always
  /// queue one message, so that slow streams do not stop the others.
  std::size_t max_buffered_output_stream = std::size_t{1024} * 1024;
  std::size_t max_buffered_output = std::size_t{4} * 1024 * 1024;
  /// Beyond this no handler is begun: each could queue a large message at once.
  std::size_t max_buffered_output_of_new_calls = std::size_t{16} * 1024 * 1024;

  /// From the start to the peer's preface and SETTINGS: silent connections.
  Duration handshake_timeout = std::chrono::seconds(5);
  /// From the header of its first frame to the last byte of a header block: slow headers.
  Duration header_block_timeout = std::chrono::seconds(5);
  /// From our SETTINGS to their ACK, while there are streams.
  Duration settings_timeout = std::chrono::seconds(30);
  /// Without a byte moving while output waits that belongs to no stream, or while we drain.
  Duration stall_timeout = std::chrono::seconds(30);
};

}  // namespace nearcall::http2

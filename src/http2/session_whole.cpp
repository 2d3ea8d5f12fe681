// SPDX-License-Identifier: Apache-2.0
// Session: a whole request, or a whole answer, in one step. Whatever is unusual goes the long way,
// frame by frame, which says what the same bytes mean.
#include "base/check.hpp"
#include "http2/session.hpp"

#include <algorithm>
#include <cstring>

namespace nearcall::inline v0::detail::http2 {
namespace {

/// Writes HEADERS with a block that is known; returns the end of it. May write up to
/// EncodedBlock::max_size bytes of it.
std::byte* write_known(std::byte* to,
                       StreamId id,
                       std::uint8_t flags,
                       const EncodedBlock& block,
                       std::size_t size) noexcept {
  store_frame_header(to, {static_cast<std::uint32_t>(size), FrameType::headers, flags, id});
  HpackEncoder::copy_known(block, to + frame_header_size);
  return to + frame_header_size + size;
}

}  // namespace

DataEvent Session::data_behind(Stream& stream) {
  using Half = StreamState::Half;
  const bool may_come = !stream.is_closed() && !stream.receive_.ended &&
                        stream.state_.remote() == Half::open &&
                        stream.receive_.content_left == HeaderFacts::no_length;
  if (!may_come || failure_ || is_broken() || is_turn_over()) return {};
  if (!reader_.take_data(stream.id_, inbound_.room(stream))) return {};
  const Frame& frame = reader_.frame();
  const auto count = static_cast<std::uint32_t>(frame.payload.size());
  work_.spend(WorkMeter::frame + WorkMeter::of_copied(count));
  inbound_.receive(stream, count);
  if (frame.header.has(frame_flag::end_stream)) {
    note(stream.state_.receive_data(/*end_stream=*/true));
    inbound_.input_ended(stream);
    note_closed(stream);
    return {&stream, frame.payload, /*end_stream=*/true};
  }
  count_size(stream, count);
  if (count == 0) return {};
  return {&stream, frame.payload};
}

Stream* Session::open_whole(const HeaderTemplate& stable, ByteSpan message, void* context) {
  static_assert(EncodedBlock::max_size <= min_max_frame_size);
  const EncodedBlock* const block = templates_.find(stable);
  const std::size_t block_size = known_size(block);
  if (block_size == 0 || message.empty()) return nullptr;
  const Window window(settings_.theirs().initial_window_size);
  if (!scheduler_.may_go_now(window, message.size())) return nullptr;
  Stream& stream = add_stream(/*end_stream=*/true, context);
  const std::size_t size = 2 * frame_header_size + block_size + message.size();
  std::byte* to = output_.reserve(size + EncodedBlock::max_size);
  to = write_known(to, stream.id_, frame_flag::end_headers, *block, block_size);
  store_frame_header(to, {static_cast<std::uint32_t>(message.size()), FrameType::data,
                          frame_flag::end_stream, stream.id_});
  std::memcpy(to + frame_header_size, message.data(), message.size());
  output_.commit(size);
  scheduler_.count_whole(stream, message.size());
  budget_.served();
  return &stream;
}

MutableByteSpan Session::reserve_whole(Stream& stream,
                                       const HeaderTemplate& head,
                                       std::size_t size,
                                       const HeaderTemplate& trailers) {
  whole_size_ = 0;
  // Nothing is queued of a stream that has not begun.
  const bool may_begin = can_send(stream) && stream.state_.local() == StreamState::Half::idle;
  if (!may_begin || !scheduler_.may_go_now(stream.send_.window, size)) return {};
  const EncodedBlock* const first = templates_.find(head);
  const EncodedBlock* const last = templates_.find(trailers);
  const std::size_t first_size = known_size(first);
  const std::size_t last_size = known_size(last);
  if (first_size == 0 || last_size == 0) return {};
  const std::size_t whole = 3 * frame_header_size + first_size + size + last_size;
  std::byte* to = output_.reserve(whole + EncodedBlock::max_size);
  to = write_known(to, stream.id_, frame_flag::end_headers, *first, first_size);
  store_frame_header(
      to, {static_cast<std::uint32_t>(size), FrameType::data, frame_flag::none, stream.id_});
  const MutableByteSpan room(to + frame_header_size, size);
  constexpr unsigned flags = unsigned{frame_flag::end_headers} | frame_flag::end_stream;
  write_known(room.data() + size, stream.id_, static_cast<std::uint8_t>(flags), *last, last_size);
  whole_size_ = whole;
  whole_message_size_ = size;
  return room;
}

void Session::commit_whole(Stream& stream) {
  CHECK(whole_size_ > 0);
  output_.commit(whole_size_);
  whole_size_ = 0;
  scheduler_.count_whole(stream, whole_message_size_);
  budget_.served();
  stream.state_.send_headers(/*end_stream=*/true);
  note_closed(stream);
}

}  // namespace nearcall::inline v0::detail::http2

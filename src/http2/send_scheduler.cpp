// SPDX-License-Identifier: Apache-2.0
// SendScheduler: DATA frames, in turns.
#include "http2/send_scheduler.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::inline v0::detail::http2 {

MutableByteSpan SendScheduler::reserve(Stream& stream, std::size_t size) {
  reserved_ = 0;
  if (stream.send_.queued > 0 || !may_go_now(stream.send_.window, size)) return {};
  std::byte* const room = output_.reserve(frame_header_size + size);  // may close the tail's block
  reserved_in_tail_ = tail_stream_ == stream.id_ && output_.is_unsent(tail_mark_) &&
                      tail_mark_ + frame_header_size + tail_payload_ == output_.end_mark() &&
                      tail_payload_ + size <= max_frame_size_;
  const std::size_t header = reserved_in_tail_ ? 0 : frame_header_size;
  reserved_ = size;
  return {room + header, size};
}

void SendScheduler::commit(Stream& stream, std::size_t size, bool end_stream) {
  CHECK(size <= reserved_, size, reserved_);
  const std::uint8_t flags = end_stream ? frame_flag::end_stream : frame_flag::none;
  const auto count = static_cast<std::uint32_t>(size);
  const FrameHeader header{0, FrameType::data, flags, stream.id_};
  if (reserved_ > 0 && reserved_in_tail_) {
    output_.commit(size);
    tail_payload_ += count;
  } else {
    tail_mark_ = output_.end_mark();
    tail_stream_ = stream.id_;
    tail_payload_ = count;
    output_.reserve(frame_header_size);
    output_.commit(frame_header_size + size);
  }
  FrameHeader whole = header;
  whole.length = tail_payload_;
  store_frame_header(output_.at(tail_mark_), whole);
  stream.send_.data_mark = tail_mark_;
  stream.send_.window.take(count);
  window_.take(count);
  reserved_ = 0;
  if (end_stream) seal();
}

void SendScheduler::queue(Stream& stream, OwnedBytes bytes) {
  Stream::SendSide& send = stream.send_;
  const std::size_t size = bytes.size();
  Segment* const segment = segments_.make(std::move(bytes));
  (send.last != nullptr ? send.last->next : send.first) = segment;
  send.last = segment;
  send.queued += size;
  queued_ += size;
  update_ready(stream);
}

void SendScheduler::end_stream(Stream& stream) {
  if (stream.send_.data_mark != 0 && output_.is_unsent(stream.send_.data_mark)) {
    std::byte* const header = output_.at(stream.send_.data_mark);
    FrameHeader last = load_frame_header(header);
    last.flags |= frame_flag::end_stream;
    store_frame_header(header, last);
    if (tail_stream_ == stream.id_) seal();
    return;
  }
  reserved_ = 0;
  commit(stream, 0, /*end_stream=*/true);
}

void SendScheduler::queue_trailers(Stream& stream, HeaderTemplate trailers) {
  queued_ += trailers.list_size();
  stream.send_.trailers = std::make_unique<HeaderTemplate>(std::move(trailers));
}

std::unique_ptr<HeaderTemplate> SendScheduler::take_trailers(Stream& stream) noexcept {
  if (stream.send_.trailers != nullptr) queued_ -= stream.send_.trailers->list_size();
  return std::move(stream.send_.trailers);
}

Stream* SendScheduler::fill() {
  if (output_.size() >= low_water) return nullptr;
  while (!ready_.empty() && window_.available() > 0 && output_.size() < high_water) {
    Stream& stream = *ready_.front();
    const bool is_alone = ready_.has_one();
    ready_.remove(stream);
    write_frame(stream, is_alone ? high_water - output_.size() : turn);
    update_ready(stream);
    update_wait(stream);
    if (stream.send_.queued == 0 && (stream.send_.ends || stream.send_.trailers)) return &stream;
  }
  return nullptr;
}

void SendScheduler::write_frame(Stream& stream, std::size_t limit) {
  Stream::SendSide& send = stream.send_;
  const std::size_t windows = std::min(send.window.available(), window_.available());
  const std::size_t size = std::min({send.queued, windows, limit, std::size_t{max_frame_size_}});
  const bool is_end = size == send.queued && send.ends;
  const FrameHeader header{static_cast<std::uint32_t>(size), FrameType::data,
                           is_end ? frame_flag::end_stream : frame_flag::none, stream.id_};
  send.data_mark = output_.end_mark();
  store_frame_header(output_.reserve(frame_header_size), header);
  output_.commit(frame_header_size);
  write_payload(stream, size);
  tail_stream_ = is_end ? 0 : stream.id_;
  tail_mark_ = send.data_mark;
  tail_payload_ = header.length;
  send.queued -= size;
  queued_ -= size;
  send.window.take(header.length);
  window_.take(header.length);
}

void SendScheduler::write_payload(Stream& stream, std::size_t size) {
  Stream::SendSide& send = stream.send_;
  while (size > 0) {
    Segment& segment = *send.first;
    const ByteSpan piece = segment.rest().first(std::min(size, segment.rest().size()));
    if (piece.size() <= max_copied) {
      std::memcpy(output_.reserve(piece.size()), piece.data(), piece.size());
      output_.commit(piece.size());
    } else {
      output_.append(segment, piece);
    }
    segment.sent += piece.size();
    size -= piece.size();
    if (!segment.rest().empty()) return;
    send.first = segment.next;
    if (send.first == nullptr) send.last = nullptr;
    segments_.drop(&segment);
  }
}

void SendScheduler::update_ready(Stream& stream) noexcept {
  if (stream.send_.queued > 0 && stream.send_.window.available() > 0) {
    ready_.push(stream);
  } else {
    ready_.remove(stream);
  }
}

void SendScheduler::drop(Stream& stream) noexcept {
  Stream::SendSide& send = stream.send_;
  release_owner(send);
  while (send.first != nullptr) {
    segments_.drop(std::exchange(send.first, send.first->next));
  }
  send.last = nullptr;
  queued_ -= send.queued;
  send.queued = 0;
  take_trailers(stream);
  ready_.remove(stream);
  leave(stream);
}

/// Frames that wait in the output may be a small part of a large message, all of which they keep
/// and nobody counts any more.
void SendScheduler::release_owner(const Stream::SendSide& send) {
  if (send.queued == 0) return;
  if (const BytesOwner* const owner = send.first->bytes.owner()) output_.copy_from(*owner);
}

// ---- who waits ----------------------------------------------------------------------------------

bool SendScheduler::has_room(const Stream& stream, std::size_t size) const noexcept {
  const std::size_t queued = stream.send_.queued;
  if (queued > 0) return queued < limits_.max_buffered_output_stream && has_budget();
  return has_budget() || goes_at_once(stream, size);
}

/// Beyond the budget: nothing of it will stay queued, and nothing else is in its way.
bool SendScheduler::goes_at_once(const Stream& stream, std::size_t size) const noexcept {
  return stream.send_.window.covers(size) && ready_.empty() &&
         (output_.empty() || output_.size() + size <= high_water);
}

bool SendScheduler::is_writable(Stream& stream, std::size_t size) noexcept {
  if (has_room(stream, size)) {
    leave(stream);
    return true;
  }
  set_awaited_size(stream, size);
  set_wait(stream, wait_of(stream));
  return false;
}

bool SendScheduler::may_make_message(Stream& stream) noexcept {
  const Stream::SendSide& send = stream.send_;
  if (send.awaited_size > 0) return true;  // it has one that waits, and no second one will
  const bool is_open = send.window.available() > 0;
  if (is_backlog_below(is_open ? limits_.max_buffered_output_of_new_calls
                               : limits_.max_buffered_output)) {
    leave(stream);
    return true;
  }
  set_wait(stream, wait_of(stream));
  return false;
}

Stream::SendSide::Wait SendScheduler::wait_of(const Stream& stream) const noexcept {
  using enum Stream::SendSide::Wait;
  const Stream::SendSide& send = stream.send_;
  if (send.awaited_size == 0) return send.window.available() > 0 ? long_backlog : backlog;
  if (send.queued == 0) return send.window.covers(send.awaited_size) ? output : budget;
  return send.queued < limits_.max_buffered_output_stream ? budget : own_queue;
}

SendScheduler::WaitList* SendScheduler::list_of(Stream::SendSide::Wait wait) noexcept {
  using enum Stream::SendSide::Wait;
  switch (wait) {
    case budget:
      return &blocked_;
    case output:
      return &fitting_;
    case backlog:
      return &behind_;
    case long_backlog:
      return &far_behind_;
    case nothing:
    case own_queue:
      break;
  }
  return nullptr;
}

/// A stream keeps its place in the order unless it waits for something else than before.
void SendScheduler::set_wait(Stream& stream, Stream::SendSide::Wait wait) noexcept {
  Stream::SendSide& send = stream.send_;
  if (send.wait == wait) return;
  if (WaitList* const before = list_of(send.wait)) {
    before->remove(stream);
    --waiting_;
  }
  send.wait = wait;
  if (WaitList* const now = list_of(wait)) {
    now->push(stream);
    ++waiting_;
  }
}

void SendScheduler::leave(Stream& stream) noexcept {
  if (stream.send_.wait == Stream::SendSide::Wait::nothing) return;
  set_awaited_size(stream, 0);
  set_wait(stream, Stream::SendSide::Wait::nothing);
}

/// Who has a message comes before those who will make one.
Stream* SendScheduler::take_woken() noexcept {
  Stream* next = has_budget() ? blocked_.front() : nullptr;
  if (next == nullptr) next = fitting_.front();
  if (next != nullptr && !has_room(*next, next->send_.awaited_size)) next = nullptr;
  if (next == nullptr && is_backlog_below(limits_.max_buffered_output)) next = behind_.front();
  if (next == nullptr && is_backlog_below(limits_.max_buffered_output_of_new_calls)) {
    next = far_behind_.front();
  }
  if (next != nullptr) leave(*next);
  return next;
}

}  // namespace nearcall::inline v0::detail::http2

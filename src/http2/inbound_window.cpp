// SPDX-License-Identifier: Apache-2.0
// InboundWindow: credit for the peer, within the budget.
#include "http2/inbound_window.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr std::uint32_t max_rationed_initial = 1024;
constexpr std::uint32_t min_rationed_initial = 64;
/// While rationing the connection's window is this much above what the streams were promised, for
/// streams that are opened meanwhile.
constexpr std::int64_t reserve = std::int64_t{256} * 1024;

std::uint32_t rationed_window(const ConnectionLimits& limits, std::uint32_t initial) noexcept {
  const std::uint32_t share =
      limits.max_buffered_input / 16 / std::max(limits.max_concurrent_streams, 1U);
  return std::min(initial, std::clamp(share, min_rationed_initial, max_rationed_initial));
}

}  // namespace

InboundWindow::InboundWindow(StreamTable& streams,
                             const ConnectionLimits& limits,
                             std::uint32_t initial_window) noexcept
    : streams_(streams),
      initial_(std::max(initial_window, default_setting::initial_window_size)),
      announced_initial_(initial_window),
      rationed_initial_(rationed_window(limits, initial_window)),
      budget_(limits.max_buffered_input),
      normal_budget_(
          budget_ -
          static_cast<std::uint32_t>(std::min<std::uint64_t>(
              budget_ / 4, std::uint64_t{limits.max_concurrent_streams} * rationed_initial_))) {
}

void InboundWindow::open(Stream& stream) noexcept {
  stream.receive_.window = Window(base());
  promised_ += base();
}

void InboundWindow::input_ended(Stream& stream) noexcept {
  if (stream.receive_.ended) return;
  set_needed(stream, 0);
  promised_ -= stream.receive_.window.available();
  stream.receive_.ended = true;
  credited_.remove(stream);
}

void InboundWindow::remove(Stream& stream) noexcept {
  input_ended(stream);
  consume(stream, stream.receive_.unconsumed);
}

void InboundWindow::receive(Stream& stream, std::uint32_t count) noexcept {
  window_.take(count);
  change_window(stream, -std::int64_t{count});
  stream.receive_.unconsumed += count;
  buffered_ += count;
  const std::uint64_t needed = stream.receive_.needed;
  if (needed == 0) return;
  set_needed(stream, needed - std::min<std::uint64_t>(needed, count));
  refresh(stream);
}

void InboundWindow::drop(Stream* stream, std::uint32_t count) noexcept {
  window_.take(count);
  if (stream == nullptr || stream->receive_.ended) return;
  change_window(*stream, -std::int64_t{count});
  refresh(*stream);
}

void InboundWindow::consume(Stream& stream, std::size_t count) noexcept {
  Stream::ReceiveSide& receive = stream.receive_;
  const auto given = static_cast<std::uint32_t>(std::min<std::size_t>(count, receive.unconsumed));
  receive.unconsumed -= given;
  buffered_ -= given;
  if (!receive.ended) refresh(stream);
  if (mode_ == Mode::rationing) serve();
}

void InboundWindow::hold(bool is_held) noexcept {
  is_held_ = is_held;
  if (mode_ == Mode::rationing) serve();
}

void InboundWindow::need(Stream& stream, std::size_t remaining) noexcept {
  if (stream.receive_.ended) return;
  set_needed(stream, remaining);
  refresh(stream);
  if (mode_ == Mode::rationing) serve();
}

void InboundWindow::set_needed(Stream& stream, std::uint64_t needed) noexcept {
  Stream::ReceiveSide& receive = stream.receive_;
  if (receive.is_served) committed_ -= receive.needed - needed;  // modulo 2^64: may also grow
  receive.needed = needed;
  if (needed > 0) {
    if (!receive.is_served) waiting_.push(stream);
    return;
  }
  if (receive.is_served) {
    receive.is_served = false;
    serving_.remove(stream);
    serve();
  } else {
    waiting_.remove(stream);
  }
}

void InboundWindow::serve() noexcept {
  while (Stream* const next = waiting_.front()) {
    const std::uint64_t needed = next->receive_.needed;
    const bool needs_room = is_held_ || !serving_.empty();
    if (needs_room && buffered_ + committed_ + needed > normal_budget_) return;
    waiting_.remove(*next);
    next->receive_.is_served = true;
    serving_.push(*next);
    committed_ += needed;
    refresh(*next);
  }
}

void InboundWindow::stop_serving() noexcept {
  Stream* const first_waiting = waiting_.front();
  while (Stream* const stream = serving_.pop()) {
    stream->receive_.is_served = false;
    waiting_.insert_before(first_waiting, *stream);
  }
  committed_ = 0;
}

std::uint32_t InboundWindow::take_new_initial() noexcept {
  if (mode_ == Mode::normal) {
    mode_ = Mode::asked;
    return rationed_initial_;
  }
  mode_ = Mode::normal;
  stop_serving();
  change_all(std::int64_t{initial_} - rationed_initial_);
  return initial_;
}

void InboundWindow::settings_acknowledged() noexcept {
  if (announced_initial_ != initial_) {
    const std::int64_t delta = std::int64_t{announced_initial_} - initial_;
    initial_ = announced_initial_;
    change_all(delta);
  }
  if (mode_ != Mode::asked) return;
  mode_ = Mode::rationing;
  change_all(std::int64_t{rationed_initial_} - initial_);
  serve();
}

void InboundWindow::change_all(std::int64_t delta) noexcept {
  streams_.for_each([&](Stream& stream) {
    if (stream.receive_.ended) return;
    change_window(stream, delta);
    refresh(stream);
  });
}

void InboundWindow::change_window(Stream& stream, std::int64_t delta) noexcept {
  Window& window = stream.receive_.window;
  promised_ -= window.available();
  // Never above the maximum: invariant (3), and initial_ is a legal window.
  static_cast<void>(window.change(delta));
  promised_ += window.available();
}

std::int64_t InboundWindow::target_of(const Stream& stream) const noexcept {
  const std::int64_t room = std::int64_t{base()} - stream.receive_.unconsumed;
  if (!may_serve(stream)) return room;
  const std::uint64_t needed = std::min<std::uint64_t>(stream.receive_.needed, initial_);
  return std::max(room, static_cast<std::int64_t>(needed));
}

void InboundWindow::refresh(Stream& stream) noexcept {
  const Stream::ReceiveSide& receive = stream.receive_;
  const std::int64_t window = receive.window.size();
  const std::int64_t growth = target_of(stream) - window;
  // A stream in a message gets more when that is the last it needs, or when half of what it may
  // have at a time is used; any other when it is worth a frame.
  const bool is_short = may_serve(stream) && (growth >= window || receive.needed <= initial_);
  if (growth > 0 && (growth * 2 >= base() || is_short)) {
    credited_.push(stream);
  } else {
    credited_.remove(stream);
  }
}

std::uint32_t InboundWindow::rationed_credit() const noexcept {
  const std::int64_t missing = promised_ + reserve - window_.size();
  return missing >= reserve / 2 ? static_cast<std::uint32_t>(missing) : 0;
}

std::uint32_t InboundWindow::take_connection_credit() noexcept {
  const std::uint32_t credit = connection_credit();
  static_cast<void>(window_.change(credit));
  return credit;
}

InboundWindow::Credit InboundWindow::take_stream_credit() noexcept {
  if (mode_ == Mode::asked) return {};
  while (Stream* const stream = credited_.pop()) {
    const std::int64_t growth = target_of(*stream) - stream->receive_.window.size();
    if (growth <= 0) continue;
    change_window(*stream, growth);
    return {stream->id_, static_cast<std::uint32_t>(growth)};
  }
  return {};
}

}  // namespace nearcall::inline v0::detail::http2

// SPDX-License-Identifier: Apache-2.0
// Session: frames out.
#include "base/check.hpp"
#include "http2/session.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace nearcall::inline v0::detail::http2 {

std::size_t Session::output(std::span<iovec> into) {
  if (phase_ == Phase::open && has_more_output()) flush();
  return output_.gather(into);
}

void Session::output_sent(std::size_t count, TimePoint now) {
  CHECK(count <= output_.size(), count, output_.size());
  now_ = std::max(now_, now);
  if (count > 0) progress_at_ = now_;
  output_.remove(count);
}

std::uint64_t Session::output_position() noexcept {
  scheduler_.seal();
  return output_.appended();
}

/// Puts out what waits for its turn: credit for the peer, then DATA.
void Session::flush() {
  if (has_new_initial()) {
    const std::array settings = {
        Setting{SettingId::initial_window_size, inbound_.take_new_initial()}};
    write_settings(settings);
  }
  if (inbound_.has_updates()) {
    budget_.served();
    const auto write_update = [this](StreamId id, std::uint32_t increment) {
      std::array<std::byte, payload_size::window_update> payload;
      store_be32(payload.data(), increment);
      write_frame({0, FrameType::window_update, frame_flag::none, id}, payload);
    };
    if (const std::uint32_t credit = inbound_.take_connection_credit(); credit > 0) {
      write_update(0, credit);
    }
    for (;;) {
      const InboundWindow::Credit credit = inbound_.take_stream_credit();
      if (credit.increment == 0) break;
      write_update(credit.stream, credit.increment);
    }
  }
  if (scheduler_.can_fill()) budget_.served();
  while (Stream* const stream = scheduler_.fill()) {
    finish_sending(*stream);
  }
}

/// The stream's last queued byte went, and its message ends there.
void Session::finish_sending(Stream& stream) {
  if (const auto trailers = scheduler_.take_trailers(stream)) {
    write_headers(stream.id_, nullptr, trailers->fields(), /*end_stream=*/true);
  }
  stream.send_.ends = false;
  ended_here(stream);
  if (stream.is_orphan_) settle_orphan(stream);
}

/// Our SETTINGS, and the client's preface before them (RFC 9113 section 3.4).
void Session::write_opening() {
  if (role_ == Role::client) {
    std::memcpy(output_.reserve(client_preface.size()), client_preface.data(),
                client_preface.size());
    output_.commit(client_preface.size());
  }
  std::vector<Setting> settings = {
      role_ == Role::client
          ? Setting{SettingId::enable_push, 0}
          : Setting{SettingId::max_concurrent_streams, limits().max_concurrent_streams},
      {SettingId::initial_window_size, options_.initial_window_size},
      {SettingId::max_frame_size, options_.max_frame_size},
      {SettingId::max_header_list_size, limits().max_header_list_size}};
  settings.insert(settings.end(), options_.extra_settings.begin(), options_.extra_settings.end());
  options_.extra_settings = std::vector<Setting>();
  write_settings(settings);
  flush();
}

void Session::write_settings(std::span<const Setting> settings) {
  const std::size_t size = settings.size() * payload_size::setting;
  std::byte* to = output_.reserve(frame_header_size + size);
  store_frame_header(to, {static_cast<std::uint32_t>(size), FrameType::settings, 0, 0});
  to += frame_header_size;
  for (const Setting& setting : settings) {
    store_setting(to, setting);
    to += payload_size::setting;
  }
  output_.commit(frame_header_size + size);
  settings_.sent(now_);
}

/// `header.length` is set here.
void Session::write_frame(const FrameHeader& header, ByteSpan payload) {
  FrameHeader whole = header;
  whole.length = static_cast<std::uint32_t>(payload.size());
  std::byte* const to = output_.reserve(frame_header_size + payload.size());
  store_frame_header(to, whole);
  if (!payload.empty()) std::memcpy(to + frame_header_size, payload.data(), payload.size());
  output_.commit(frame_header_size + payload.size());
}

void Session::write_rst(StreamId id, ErrorCode code) {
  std::array<std::byte, payload_size::rst_stream> payload;
  store_be32(payload.data(), static_cast<std::uint32_t>(code));
  write_frame({0, FrameType::rst_stream, frame_flag::none, id}, payload);
  ++counted_.resets_sent;
}

void Session::write_goaway(StreamId last, ErrorCode code, std::string_view debug) {
  std::array<std::byte, payload_size::goaway + 256> payload;
  const std::size_t shown = std::min(debug.size(), payload.size() - payload_size::goaway);
  store_be32(payload.data(), last);
  store_be32(payload.data() + 4, static_cast<std::uint32_t>(code));
  if (shown > 0) std::memcpy(payload.data() + payload_size::goaway, debug.data(), shown);
  write_frame({0, FrameType::goaway, frame_flag::none, 0},
              ByteSpan(payload).first(payload_size::goaway + shown));
}

void Session::write_headers(StreamId id,
                            const HeaderTemplate* stable,
                            std::span<const HeaderField> variable,
                            bool end_stream) {
  budget_.served();
  EncodedBlock* const cache = stable != nullptr ? &templates_[*stable] : nullptr;
  if (cache != nullptr && variable.empty() && write_known_block(id, *cache, end_stream)) return;
  block_out_.clear();
  if (cache != nullptr) encoder_.encode(stable->fields(), *cache, block_out_);
  if (!variable.empty()) {
    fields_out_.assign(variable.begin(), variable.end());
    for (HeaderField& field : fields_out_) {
      if (field.indexing == Indexing::incremental) field.indexing = Indexing::without;
    }
    encoder_.encode(fields_out_, block_out_);
  }
  write_block(id, block_out_, end_stream);
}

/// HEADERS with what was encoded before, if it was and still may be. No peer's frame size is less.
bool Session::write_known_block(StreamId id, const EncodedBlock& block, bool end_stream) {
  static_assert(EncodedBlock::max_size <= min_max_frame_size);
  const std::size_t size = encoder_.known_size(block);
  if (size == 0) return false;
  std::byte* const to = output_.reserve(frame_header_size + EncodedBlock::max_size);
  const unsigned flags =
      frame_flag::end_headers | (end_stream ? frame_flag::end_stream : frame_flag::none);
  store_frame_header(to, {static_cast<std::uint32_t>(size), FrameType::headers,
                          static_cast<std::uint8_t>(flags), id});
  HpackEncoder::copy_known(block, to + frame_header_size);
  output_.commit(frame_header_size + size);
  return true;
}

/// HEADERS, and as many CONTINUATIONs as the peer's frame size asks for (6.10).
void Session::write_block(StreamId id, ByteSpan rest, bool end_stream) {
  FrameHeader header{0, FrameType::headers, end_stream ? frame_flag::end_stream : frame_flag::none,
                     id};
  do {
    const ByteSpan part =
        rest.first(std::min<std::size_t>(rest.size(), settings_.theirs().max_frame_size));
    rest = rest.subspan(part.size());
    if (rest.empty()) header.flags |= frame_flag::end_headers;
    write_frame(header, part);
    header = {0, FrameType::continuation, frame_flag::none, id};
  } while (!rest.empty());
}

/// The peer is making us write a frame.
void Session::count_induced() {
  note(budget_.induced_frame(output_.sent(), output_.appended()));
}

// ---- commands of the connection -----------------------------------------------------------------

void Session::send_ping(std::uint64_t opaque) {
  if (phase_ != Phase::open) return;
  std::array<std::byte, payload_size::ping> payload;
  store_be32(payload.data(), static_cast<std::uint32_t>(opaque >> 32U));
  store_be32(payload.data() + 4, static_cast<std::uint32_t>(opaque));
  write_frame({0, FrameType::ping, frame_flag::none, 0}, payload);
}

void Session::announce_shutdown() {
  if (is_broken() || !shutdown_.announce()) return;
  if (phase_ == Phase::open) write_goaway(max_stream_id, ErrorCode::no_error, {});
}

void Session::send_goaway(ErrorCode code, std::string_view debug) {
  if (is_broken()) return;
  const StreamId last = shutdown_.close(ids_.last_of_peer());
  if (!settings_.has_sent()) write_opening();  // before the preface: the client learns of it, too
  write_goaway(last, code, debug);
}

void Session::send_frame(std::uint8_t type, std::uint8_t flags, StreamId stream, ByteSpan payload) {
  if (phase_ != Phase::open) return;
  CHECK(payload.size() <= min_max_frame_size, payload.size());
  write_frame({0, static_cast<FrameType>(type), flags, stream}, payload);
}

}  // namespace nearcall::inline v0::detail::http2

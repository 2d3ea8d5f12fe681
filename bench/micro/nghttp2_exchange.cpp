// SPDX-License-Identifier: Apache-2.0
// NgHttp2Exchange.
#include "micro/nghttp2_exchange.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace nearcall::bench {

namespace {

constexpr std::uint32_t window = 1 << 20;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

const std::array request_fields = {field(":method", "POST"),
                                   field(":scheme", "http"),
                                   field(":path", "/greet.Greeter/SayHello"),
                                   field(":authority", "localhost"),
                                   field("te", "trailers"),
                                   field("content-type", "application/grpc"),
                                   field("user-agent", "nearcall/0.1")};
const std::array response_fields = {field(":status", "200"),
                                    field("content-type", "application/grpc")};
const std::array trailer_fields = {field("grpc-status", "0")};

}  // namespace

NgHttp2Exchange::NgHttp2Exchange(std::size_t size) : message_(size, 'x') {
  make(client_);
  make(server_);
  run();
}

NgHttp2Exchange::~NgHttp2Exchange() {
  nghttp2_session_del(client_.session);
  nghttp2_session_del(server_.session);
}

void NgHttp2Exchange::make(End& end) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_close);
  const auto make_session =
      end.side == Side::client ? nghttp2_session_client_new2 : nghttp2_session_server_new2;
  CHECK(make_session(&end.session, callbacks, &end, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}, {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, window}}};
  CHECK(nghttp2_submit_settings(end.session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
        0);
  CHECK(nghttp2_session_set_local_window_size(end.session, NGHTTP2_FLAG_NONE, 0, window) == 0);
}

void NgHttp2Exchange::run() {
  closed_ = 0;
  received_ = 0;
  client_.sent = 0;
  const nghttp2_data_provider provider = body(client_);
  CHECK(nghttp2_submit_request(client_.session, nullptr, request_fields.data(),
                               request_fields.size(), &provider, nullptr) > 0);
  bool has_moved = true;
  while (has_moved) {
    has_moved = carry(client_, server_);
    has_moved = carry(server_, client_) || has_moved;
  }
  CHECK(closed_ == 2 && received_ > 2 * message_.size());
}

bool NgHttp2Exchange::carry(End& from, End& to) {
  bool has_moved = false;
  const std::uint8_t* bytes = nullptr;
  for (;;) {
    const ssize_t size = nghttp2_session_mem_send(from.session, &bytes);
    CHECK(size >= 0);
    if (size == 0) return has_moved;
    CHECK(nghttp2_session_mem_recv(to.session, bytes, static_cast<std::size_t>(size)) == size);
    has_moved = true;
  }
}

nghttp2_data_provider NgHttp2Exchange::body(End& end) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &end;
  provider.read_callback = &read_body;
  return provider;
}

ssize_t NgHttp2Exchange::read_body(nghttp2_session* session,
                                   std::int32_t stream,
                                   std::uint8_t* into,
                                   std::size_t size,
                                   std::uint32_t* flags,
                                   nghttp2_data_source* source,
                                   void*) {
  End& end = *static_cast<End*>(source->ptr);
  const std::string& message = end.exchange->message_;
  const std::size_t count = std::min(size, message.size() - end.sent);
  std::memcpy(into, message.data() + end.sent, count);
  end.sent += count;
  if (end.sent < message.size()) return static_cast<ssize_t>(count);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (end.side == Side::server) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    CHECK(nghttp2_submit_trailer(session, stream, trailer_fields.data(), trailer_fields.size()) ==
          0);
  }
  return static_cast<ssize_t>(count);
}

int NgHttp2Exchange::on_header(nghttp2_session*,
                               const nghttp2_frame*,
                               const std::uint8_t*,
                               std::size_t name_size,
                               const std::uint8_t*,
                               std::size_t value_size,
                               std::uint8_t,
                               void* user) {
  static_cast<End*>(user)->exchange->received_ += name_size + value_size;
  return 0;
}

int NgHttp2Exchange::on_data(nghttp2_session*,
                             std::uint8_t,
                             std::int32_t,
                             const std::uint8_t*,
                             std::size_t size,
                             void* user) {
  static_cast<End*>(user)->exchange->received_ += size;
  return 0;
}

int NgHttp2Exchange::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  const End& end = *static_cast<End*>(user);
  const bool is_end = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (is_end && end.side == Side::server) end.exchange->respond(frame->hd.stream_id);
  return 0;
}

int NgHttp2Exchange::on_close(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
  ++static_cast<End*>(user)->exchange->closed_;
  return 0;
}

void NgHttp2Exchange::respond(std::int32_t stream) {
  server_.sent = 0;
  const nghttp2_data_provider provider = body(server_);
  CHECK(nghttp2_submit_response(server_.session, stream, response_fields.data(),
                                response_fields.size(), &provider) == 0);
}

}  // namespace nearcall::bench

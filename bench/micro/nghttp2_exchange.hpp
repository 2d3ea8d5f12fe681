// SPDX-License-Identifier: Apache-2.0
// NgHttp2Exchange: the exchange of SessionExchange with nghttp2 on both sides.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace nearcall::bench {

/// The same fields and the same bodies, and nghttp2 spared what it can be spared: it copies no
/// header field, keeps no closed stream, and its windows are as large as ours.
class NgHttp2Exchange {
 public:
  explicit NgHttp2Exchange(std::size_t size);
  NgHttp2Exchange(const NgHttp2Exchange&) = delete;
  NgHttp2Exchange& operator=(const NgHttp2Exchange&) = delete;
  ~NgHttp2Exchange();

  void run();

 private:
  enum class Side : std::uint8_t { client, server };

  struct End {
    NgHttp2Exchange* exchange;
    Side side;
    nghttp2_session* session = nullptr;
    std::size_t sent = 0;  // of the body that is on its way
  };

  void make(End& end);
  void respond(std::int32_t stream);
  static bool carry(End& from, End& to);
  static nghttp2_data_provider body(End& end);
  static ssize_t read_body(nghttp2_session* session,
                           std::int32_t stream,
                           std::uint8_t* into,
                           std::size_t size,
                           std::uint32_t* flags,
                           nghttp2_data_source* source,
                           void* user);
  static int on_header(nghttp2_session* session,
                       const nghttp2_frame* frame,
                       const std::uint8_t* name,
                       std::size_t name_size,
                       const std::uint8_t* value,
                       std::size_t value_size,
                       std::uint8_t flags,
                       void* user);
  static int on_data(nghttp2_session* session,
                     std::uint8_t flags,
                     std::int32_t stream,
                     const std::uint8_t* data,
                     std::size_t size,
                     void* user);
  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_close(nghttp2_session* session, std::int32_t stream, std::uint32_t, void* user);

  const std::string message_;
  End client_{this, Side::client};
  End server_{this, Side::server};
  std::size_t received_ = 0;  // bytes of fields and bodies, so that nothing is left out
  std::size_t closed_ = 0;    // streams, on either side
};

}  // namespace nearcall::bench

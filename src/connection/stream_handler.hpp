// SPDX-License-Identifier: Apache-2.0
// StreamHandler: whose a stream of a connection is.
#pragma once

#include "base/bytes.hpp"
#include "http2/session.hpp"

#include <nearcall/status.hpp>

#include <cstddef>

namespace nearcall::inline v0::detail {

/// Whose a stream is: the call of a client or of a server. The pump hands it what comes for the
/// stream, from when it became the stream's context until that has another one, or goes.
///
/// Thread safety: none; the connection's driver's.
class StreamHandler {
 public:
  /// The handler of `stream`; null where nobody wants it any more, or nobody took it yet.
  static StreamHandler* of(const http2::Stream& stream) noexcept {
    return static_cast<StreamHandler*>(stream.context());
  }
  /// What a stream's context has to be.
  void* as_context() noexcept { return this; }

  /// A header block; not the one that opened the stream.
  virtual void on_headers(const http2::HeadersEvent& event) = 0;
  virtual void on_data(ByteSpan bytes, bool end_stream) = 0;
  /// Where the next payload bytes may be read to; empty: through the driver's buffer.
  virtual MutableByteSpan direct_tail() = 0;
  /// As many were.
  virtual void on_direct_data(std::size_t count, bool end_stream) = 0;
  /// The session takes what it did not take before.
  virtual void on_writable() = 0;
  virtual void on_reset(const http2::ResetEvent& event) = 0;
  /// The connection has ended, and releases no stream. `is_ours`: because our side wanted that.
  virtual void on_connection_end(const Status& why, bool is_ours) = 0;

 protected:
  ~StreamHandler() = default;
};

}  // namespace nearcall::inline v0::detail

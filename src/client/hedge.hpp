// SPDX-License-Identifier: Apache-2.0
// Hedge: one of the streams that carry the same call at a time.
#pragma once

#include "base/bytes.hpp"
#include "client/attempt.hpp"
#include "client/client_connection.hpp"
#include "client/retry_policy.hpp"
#include "connection/stream_handler.hpp"
#include "http2/header_template.hpp"

#include <cstdint>
#include <span>

namespace nearcall::inline v0::detail {

class Hedge;

/// Whose hedges they are.
class HedgeOwner {
 public:
  /// The server has begun to answer it, with `event`, which nobody has read yet.
  virtual void on_answer(Hedge& hedge, const http2::HeadersEvent& event) = 0;
  /// It has failed before, and its stream is gone. It may be opened again when the caller has
  /// returned.
  virtual void on_failure(Hedge& hedge, Outcome outcome) = 0;

 protected:
  ~HedgeOwner() = default;
};

/// One of the streams that carry the same call at a time (gRFC A6, hedging): it sends what it is
/// given, and when it is answered the call's Attempt takes its stream.
///
/// Thread safety: none; its connection's driver's.
class Hedge final : private StreamHandler {
 public:
  explicit Hedge(HedgeOwner& owner) noexcept : owner_(&owner) {}
  Hedge(const Hedge&) = delete;
  Hedge& operator=(const Hedge&) = delete;
  ~Hedge() { release_stream(); }

  bool is_open() const noexcept { return state_ == State::open; }
  /// REQUIRES: it is idle, and the connection's open_state() is ready.
  void open(ClientConnection& connection,
            const http2::HeaderTemplate& head,
            std::span<const http2::HeaderField> fields,
            std::uint64_t number);
  /// Of the last open().
  std::uint64_t number() const noexcept { return number_; }
  bool is_idle() const noexcept { return state_ == State::idle; }
  /// Messages, with their prefixes. REQUIRES: it is open, as of the other two.
  void send(ByteSpan messages, bool end_stream);
  void end_stream();
  /// `attempt`, which is idle, has the stream from now on.
  void give_to(Attempt& attempt, LoopCore* loop);
  /// The stream is reset, and nobody is told.
  void cancel();
  ClientConnection& connection() const noexcept { return *connection_; }

 private:
  /// From open to idle, where the connection is just ending, by cancelled: there the stream is
  /// still looked at.
  enum class State : std::uint8_t { idle, open, cancelled };

  // StreamHandler

  void on_headers(const http2::HeadersEvent& event) override;
  void on_data(ByteSpan bytes, bool end_stream) override;
  MutableByteSpan direct_tail() override { return {}; }
  void on_direct_data(std::size_t count, bool end_stream) override;
  void on_writable() override {}
  void on_reset(const http2::ResetEvent& event) override;
  void on_connection_end(const Status& why, bool is_ours) override;

  void finish(Outcome outcome);
  void release_stream();

  HedgeOwner* owner_;
  State state_ = State::idle;
  std::uint64_t number_ = 0;
  ClientConnection* connection_ = nullptr;
  http2::Stream* stream_ = nullptr;
  std::uint64_t output_position_ = 0;
};

}  // namespace nearcall::inline v0::detail

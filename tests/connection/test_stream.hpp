// SPDX-License-Identifier: Apache-2.0
// TestStream: the handler of one stream, with its messages; and one who waits for them.
#pragma once

#include "connection/message_stream.hpp"
#include "connection/stream_handler.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <utility>

namespace nearcall::inline v0::detail {

/// What a thread that waits notes.
class CountingWaiter final : public MessageWaiter {
 public:
  void wake() noexcept override { ++wakes; }

  int wakes = 0;
};

/// Hands what comes for a stream to its messages, as a call does. Thread safety: none.
class TestStream final : public StreamHandler, private MessageOwner {
 public:
  MessageStream messages{*this, std::size_t{1000} * 1000};
  std::function<void()> when_output = [] {};
  /// After each arrival.
  std::function<void()> when_input = [] {};
  int writables = 0;
  int resets = 0;

  void attach(http2::Session& session, http2::Stream& stream, LoopCore* loop) {
    stream.set_context(as_context());
    messages.attach(session, stream, loop);
  }

 private:
  void on_headers(const http2::HeadersEvent& event) override {
    if (event.end_stream) on_data({}, /*end_stream=*/true);
  }
  void on_data(ByteSpan bytes, bool end_stream) override {
    messages.in().arrive(bytes, end_stream);
    when_input();
    messages.in().keep_rest();
  }
  MutableByteSpan direct_tail() override { return messages.in().direct_tail(); }
  void on_direct_data(std::size_t count, bool end_stream) override {
    messages.in().arrive_directly(count, end_stream);
    when_input();
    messages.in().keep_rest();
  }
  void on_writable() override {
    ++writables;
    messages.on_writable();
  }
  void on_reset(const http2::ResetEvent& /*event*/) override { ++resets; }
  void on_connection_end(const Status& /*why*/, bool /*is_ours*/) override {}
  void on_bad_message(Status why) override { ADD_FAILURE() << why.to_string(); }
  void on_output() override { when_output(); }
};

}  // namespace nearcall::inline v0::detail

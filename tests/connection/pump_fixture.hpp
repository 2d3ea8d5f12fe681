// SPDX-License-Identifier: Apache-2.0
// PumpTest: a server's pump on one end of a pipe; the test plays the client on the other.
#pragma once

#include "connection/pump.hpp"
#include "connection/test_stream.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/messages.hpp"
#include "support/session_pair.hpp"
#include "transport/inproc_pipe.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// How many of the events are of that type.
template <class Kind>
std::ptrdiff_t count_of(const std::vector<http2::Event>& events) {
  return std::count_if(events.begin(), events.end(), [](const http2::Event& event) {
    return std::holds_alternative<Kind>(event);
  });
}

/// A server's pump on one end of a pipe; the test plays the client on the other.
class PumpTest : public testing::Test, public PumpHandler {
 protected:
  using Progress = Pump::Progress;

  PumpTest() {
    Result<InprocPipe> pipe = make_inproc_pipe();
    EXPECT_TRUE(pipe.ok());
    inner_ = std::move(pipe->first);
    peer_ = std::move(pipe->second);
  }

  void make(std::unique_ptr<Transport> transport) {
    pump_.emplace(std::move(transport), http2::Role::server, http2::SessionOptions(), *this, now());
  }
  void make() { make(std::move(inner_)); }
  static TimePoint now() { return SteadyClock::now(); }

  Progress read() { return pump_->read(read_scratch(), now()); }
  /// Reads all that the client has sent.
  void read_all() {
    while (read() == Progress::some) {
    }
  }
  /// Sends what the client's session has to say.
  void send_output() { ASSERT_TRUE(test::write_all(*peer_, test::take_output(client_))); }
  /// Takes what the server has said so far.
  void receive() {
    for (;;) {
      const std::string bytes = test::read_once(*peer_);
      if (bytes.empty()) return;
      client_.receive(as_bytes(bytes), now());
      test::drain_events(client_, [this](const http2::Event& event) {
        client_saw_.push_back(event);
        if (const auto* const goaway = std::get_if<http2::GoawayEvent>(&event)) {
          goaway_ = goaway->code;
        }
      });
    }
  }
  /// What both have to say, once each.
  void exchange() {
    send_output();
    read_all();
    pump_->flush(now());
    receive();
  }
  http2::Stream& open() {
    return client_.open_stream(test::request_head(), {},
                               /*end_stream=*/false, nullptr);
  }

  void on_event(const http2::Event& event) override {
    saw_.push_back(event);
    if (!std::holds_alternative<http2::HeadersEvent>(event)) return;
    stream_ = http2::stream_of(event);
    if (takes_messages_) taken_.attach(pump_->session(), *stream_, &Access::core(loop_));
  }
  void on_end(EndReason reason, std::string_view what) override {
    ++ends_;
    reason_ = reason;
    what_ = what;
    pump_->session().for_each_stream([this](http2::Stream& stream) {
      pump_->session().release(stream);
      taken_.messages.detach();
    });
  }

  EventLoop loop_;
  std::unique_ptr<Transport> inner_;
  std::unique_ptr<Transport> peer_;
  http2::Session client_{http2::Role::client, http2::SessionOptions(), SteadyClock::now()};
  std::vector<http2::Event> client_saw_;  // only what kind they were
  std::optional<http2::ErrorCode> goaway_;
  TestStream taken_;
  bool takes_messages_ = false;
  std::vector<http2::Event> saw_;  // only what kind they were
  http2::Stream* stream_ = nullptr;
  int ends_ = 0;
  EndReason reason_ = EndReason::none;
  std::string what_;
  std::optional<Pump> pump_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// Calls with a hedgingPolicy, and what servers of the tests say to them.
#pragma once

#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::test {

/// Of at most `attempts`, each `delay` after the one before.
inline std::string hedging_config(int attempts,
                                  const std::string& delay = "0s",
                                  const std::string& more = "") {
  return R"({"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": )" +
         std::to_string(attempts) + R"(, "hedgingDelay": ")" + delay +
         R"(", "nonFatalStatusCodes": ["UNAVAILABLE"]}}])" + more + "}";
}

/// As many calls, in the order in which they came, with what was said of attempts before.
struct HedgedCalls {
  std::vector<http2::Stream*> streams;
  std::vector<std::string> told;
};

/// Waits for one more.
inline http2::Stream* next_hedge(SessionPeer& peer, HedgedCalls& calls) {
  http2::Stream* const stream = peer.next_headers();
  if (stream == nullptr) return nullptr;
  calls.streams.push_back(stream);
  calls.told.push_back(peer.header("grpc-previous-rpc-attempts"));
  return stream;
}

inline HedgedCalls next_hedges(SessionPeer& peer, std::size_t count) {
  HedgedCalls calls;
  while (calls.streams.size() < count && next_hedge(peer, calls) != nullptr) {
  }
  EXPECT_EQ(calls.streams.size(), count);
  return calls;
}

/// Trailers-Only.
inline void fail_call(SessionPeer& peer,
                      http2::Stream& stream,
                      std::string_view code = "14",
                      std::string_view pushback = {}) {
  SessionPeer::Fields fields = {
      {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", code}};
  if (!pushback.empty()) fields.push_back({"grpc-retry-pushback-ms", pushback});
  peer.headers(stream, fields, /*end_stream=*/true);
  peer.session().release(stream);
  EXPECT_TRUE(peer.flush());
}

/// How a call ended, and what it came to.
struct HedgedEnd {
  Status status;
  std::string value;
  int attempts = 0;
};

inline Task<HedgedEnd> await_hedged(const ClientStub& stub, CallOptions options) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), options);
  const Result<Text> reply = co_await call;
  HedgedEnd ended;
  ended.status = reply.status();
  if (reply.ok()) ended.value = reply->value();
  ended.attempts = call.attempts();
  co_return ended;
}

inline HedgedEnd call_hedged(CallForm form,
                             const Channel& channel,
                             const CallOptions& options = patient()) {
  const ClientStub stub(channel, test_methods);
  if (form == CallForm::awaited) return sync_wait(await_hedged(stub, options));
  CallInfo info;
  const Result<Text> reply = stub.unary<Text>(unary_method, text_of("request"), options, &info);
  HedgedEnd ended{reply.status(), {}, info.attempts()};
  if (reply.ok()) ended.value = reply->value();
  return ended;
}

/// Calls of either form.
class HedgedCallTest : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  static HedgedEnd call(const Channel& channel, const CallOptions& options = patient()) {
    return call_hedged(GetParam(), channel, options);
  }
};

}  // namespace nearcall::test

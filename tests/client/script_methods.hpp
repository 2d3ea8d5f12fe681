// SPDX-License-Identifier: Apache-2.0
// The methods that a ScriptedServer is asked for, and calls of them.
#pragma once

#include "support/messages.hpp"
#include "support/scripted_server.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/task.hpp>

#include <chrono>
#include <functional>

namespace nearcall::test {

namespace http2 = detail::http2;

inline constexpr Method test_methods[] = {{"/test.Script/Unary", MethodKind::unary},
                                          {"/test.Script/Serve", MethodKind::server_streaming},
                                          {"/test.Script/Collect", MethodKind::client_streaming},
                                          {"/test.Script/Chat", MethodKind::bidi_streaming}};
inline constexpr std::size_t unary_method = 0;
inline constexpr std::size_t serve_method = 1;
inline constexpr std::size_t collect_method = 2;
inline constexpr std::size_t chat_method = 3;

inline http2::SessionOptions one_stream_at_a_time() {
  http2::SessionOptions options;
  options.limits->max_concurrent_streams = 1;
  return options;
}

/// CallOptions of tests: a call that hangs fails the test in the end.
inline CallOptions patient() {
  return CallOptions().timeout(std::chrono::seconds(20));
}

inline Result<Text> call_unary(const ClientStub& stub, const CallOptions& options = patient()) {
  return stub.unary<Text>(unary_method, text_of("request"), options);
}

inline Task<Result<Text>> await_unary(const ClientStub& stub, CallOptions options = patient()) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), options);
  co_return co_await call;
}

/// Has a call end at its deadline, at a server that does nothing but read. False if the server
/// never heard of it; otherwise it was told of the end.
inline bool has_told_of_deadline(const std::function<Status(const Channel&)>& call) {
  bool has_heard = false;
  ScriptedServer server({[&has_heard](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    if (stream == nullptr) return;
    has_heard = true;
    EXPECT_EQ(peer.wait_for_reset(*stream), http2::ErrorCode::cancel);
  }});
  EXPECT_EQ(call(Channel("mine", server.options())).code(), StatusCode::deadline_exceeded);
  server.join();
  return has_heard;
}

}  // namespace nearcall::test

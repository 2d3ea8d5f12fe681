// SPDX-License-Identifier: Apache-2.0
// A service of all methods, and calls of all kinds to it by name.
#include "server/server_fixture.hpp"
#include "support/call_form.hpp"
#include "support/noting_observer.hpp"

#include <nearcall/generic_service.hpp>
#include <nearcall/generic_stub.hpp>

#include <gmock/gmock.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Answers each request of /any.X/Echo with itself, of /any.X/Last with the last one; the others
/// show what a call can do. Notes which methods were called.
class AnyService final : public GenericService {
 public:
  using GenericService::GenericService;

  Occasions started;
  Occasions cancelled;
  std::vector<std::string> called;

 private:
  Task<Status> serve(ServerContext& call, Reader& requests, Writer& replies) override {
    called.emplace_back(call.method());
    started.add();
    const std::string_view method = call.method().substr(call.method().rfind('/') + 1);
    if (method == "Fail") {
      Metadata trailers;
      EXPECT_TRUE(trailers.add("tried", "cache"));
      co_return Status::not_found("nobody").with_details("\x01\x02").with_trailers(trailers);
    }
    if (method == "Metadata") {
      call.add_header("seen", call.metadata().get("me").value_or("nobody"));
      call.add_trailer("done-bin", std::string("\0\1", 2));
    }
    if (method == "Hold") {
      const CallEnding why = co_await call.until_ending();
      if (why == CallEnding::cancelled) cancelled.add();
      co_return Status::cancelled(std::string(call.method()));
    }
    if (method == "Zip") call.set_compression(Codec::gzip());
    if (method == "Throw") throw std::runtime_error("as the test asked");
    GenericMessage message;
    if (method == "Last") {
      while (co_await requests.read(message)) {
      }
      co_await replies.write(message);
      co_return Status();
    }
    while (co_await requests.read(message)) {
      if (!co_await replies.write(message)) break;
    }
    co_return Status();
  }
};

GenericMessage bytes(std::string text) {
  return GenericMessage(std::move(text));
}

CallOptions in_time() {
  return CallOptions().timeout(20s);
}

class GenericCalls : public ServerTest, public testing::WithParamInterface<CallForm> {
 protected:
  GenericCalls() {
    server_.add_service(service_).add_service(any_).listen(target());
    EXPECT_TRUE(server_.start());
  }
  ~GenericCalls() override {
    server_.stop();
    server_.wait();
  }

  /// All kinds of calls are made of this.
  struct Talk {
    std::vector<std::string> replies;
    Status status;
    std::string trailer;
  };
  Talk talk(const std::string& method,
            const std::vector<std::string>& requests,
            const CallOptions& options = in_time()) {
    if (GetParam() == CallForm::awaited) return sync_wait(await(stub_, method, requests, options));
    Talk talk;
    auto call = stub_.bidi_streaming(method, options);
    for (const std::string& request : requests)
      EXPECT_TRUE(call.write(bytes(request)));
    call.writes_done();
    while (std::optional<GenericMessage> reply = call.read())
      talk.replies.push_back(reply->bytes());
    talk.status = call.finish();
    return talk;
  }
  Result<GenericMessage> unary(const std::string& method,
                               const std::string& request,
                               const CallOptions& options = in_time()) {
    if (GetParam() == CallForm::blocking) return stub_.unary(method, bytes(request), options);
    return sync_wait(await_unary(stub_, method, request, options));
  }

  AnyService any_;
  Server server_;
  Channel channel_{target()};
  GenericStub stub_{channel_};

 private:
  static Task<Talk> await(const GenericStub& stub,
                          const std::string& method,
                          const std::vector<std::string>& requests,
                          const CallOptions& options) {
    Talk talk;
    auto call = stub.bidi_streaming_async(method, options);
    for (const std::string& request : requests) {
      const GenericMessage message = bytes(request);
      const bool taken = co_await call.write(message);
      EXPECT_TRUE(taken);
    }
    call.writes_done();
    GenericMessage reply;
    while (co_await call.read(reply))
      talk.replies.push_back(reply.bytes());
    talk.status = co_await call.finish();
    co_return talk;
  }
  static Task<Result<GenericMessage>> await_unary(const GenericStub& stub,
                                                  const std::string& method,
                                                  const std::string& request,
                                                  const CallOptions& options) {
    const GenericMessage message = bytes(request);
    auto call = stub.unary_async(method, message, options);
    co_return co_await call;
  }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         GenericCalls,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(GenericCalls, CarryAnyBytesBothWays) {
  for (const std::size_t size : {0U, 1U, 100U, 100'000U, 4'000'000U}) {
    std::string request(size, '\xff');
    const Result<GenericMessage> reply = unary("/any.X/Echo", request);

    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->bytes(), request);
  }
  EXPECT_THAT(any_.called, testing::Each(std::string("/any.X/Echo")));
}

TEST_P(GenericCalls, StreamInBothDirections) {
  const std::vector<std::string> requests = {"one", "", std::string(100'000, 'x'), "four"};

  const Talk talked = talk("/any.X/Echo", requests);

  EXPECT_TRUE(talked.status.ok()) << talked.status.to_string();
  EXPECT_EQ(talked.replies, requests);
}

TEST_P(GenericCalls, MeetTheServicesThatAServerHas) {
  const Result<GenericMessage> reply =
      unary("/test.Wrapper/Echo", text_of("hello").SerializeAsString());

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->bytes(), text_of("hello").SerializeAsString());
  EXPECT_TRUE(any_.called.empty());
  EXPECT_EQ(server_.services(), std::vector<std::string>{"test.Wrapper"});
}

TEST_P(GenericCalls, AreServedWhereAServiceHasNoSuchMethod) {
  EXPECT_TRUE(unary("/test.Wrapper/Another", "x").ok());
  EXPECT_EQ(any_.called, std::vector<std::string>{"/test.Wrapper/Another"});
}

TEST_P(GenericCalls, BringTheStatusWithItsDetailsAndTrailers) {
  const Status status = unary("/any.X/Fail", "").status();

  EXPECT_EQ(status.code(), StatusCode::not_found);
  EXPECT_EQ(status.message(), "nobody");
  EXPECT_EQ(status.details(), "\x01\x02");
  EXPECT_EQ(status.trailers().get("tried"), "cache");
}

TEST_P(GenericCalls, AreToldOfTheDeadlineAndOfCancellation) {
  const Status late = unary("/any.X/Hold", "", CallOptions().timeout(50ms)).status();
  EXPECT_EQ(late.code(), StatusCode::deadline_exceeded);

  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const Status cancelled =
      unary("/any.X/Hold", "", in_time().cancellation(stop.get_token())).status();

  EXPECT_EQ(cancelled.code(), StatusCode::cancelled);
}

TEST_P(GenericCalls, MayBeCompressedEitherWay) {
  const std::string request(100'000, 'x');

  const Result<GenericMessage> reply =
      unary("/any.X/Zip", request, in_time().compression(Codec::gzip()));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->bytes(), request);
}

TEST_P(GenericCalls, WhoseHandlerThrowsEndAsOthersDo) {
  const Status status = unary("/any.X/Throw", "").status();

  EXPECT_EQ(status.code(), StatusCode::unknown);
  EXPECT_TRUE(log_capture().take("/any.X/Throw: the handler threw: as the test asked"));
}

using GenericServiceTest = ServerTest;

TEST_F(GenericServiceTest, ServesCallsOfEveryKindOfBlockingStub) {
  AnyService any;
  Server server;
  server.add_service(any).listen(target());
  ASSERT_TRUE(server.start());
  const GenericStub stub{Channel(target())};

  CallInfo info;
  EXPECT_TRUE(stub.unary("/any.X/Metadata", bytes("x"), in_time().metadata("me", "7"), &info).ok());
  EXPECT_EQ(info.headers().get("seen"), "7");
  EXPECT_EQ(info.trailers().get("done-bin"), std::string_view("\0\1", 2));

  auto serve = stub.server_streaming("/any.X/Echo", bytes("request"), in_time());
  const std::optional<GenericMessage> only = serve.read();
  ASSERT_TRUE(only);
  EXPECT_EQ(only->bytes(), "request");
  EXPECT_FALSE(serve.read());
  EXPECT_TRUE(serve.finish().ok());

  auto collect = stub.client_streaming("/any.X/Last", in_time());
  EXPECT_TRUE(collect.write(bytes("one")));
  EXPECT_TRUE(collect.write(bytes("two")));
  const Result<GenericMessage> last = collect.finish();
  ASSERT_TRUE(last.ok()) << last.status().to_string();
  EXPECT_EQ(last->bytes(), "two");
}

Task<void> make_every_kind_of_call(const GenericStub& stub) {
  const GenericMessage request = bytes("request");
  const CallOptions options = in_time().metadata("me", "7");
  auto unary = stub.unary_async("/any.X/Metadata", request, options);
  const Metadata& headers = co_await unary.headers();
  EXPECT_EQ(headers.get("seen"), "7");
  const Result<GenericMessage> reply = co_await unary;
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(unary.trailers().get("done-bin"), std::string_view("\0\1", 2));

  auto serve = stub.server_streaming_async("/any.X/Echo", request, options);
  GenericMessage only;
  EXPECT_TRUE(co_await serve.read(only));
  EXPECT_EQ(only, request);
  EXPECT_FALSE(co_await serve.read(only));
  const Status served = co_await serve.finish();
  EXPECT_TRUE(served.ok());

  auto collect = stub.client_streaming_async("/any.X/Last", options);
  EXPECT_TRUE(co_await collect.write(request));
  const Result<GenericMessage> last = co_await collect.finish();
  EXPECT_TRUE(last.ok());
  EXPECT_EQ(*last, request);
}

TEST_F(GenericServiceTest, ServesCallsOfEveryKindOfAwaitedStub) {
  AnyService any;
  Server server;
  server.add_service(any).listen(target());
  ASSERT_TRUE(server.start());
  const GenericStub stub{Channel(target())};

  sync_wait(make_every_kind_of_call(stub));

  EXPECT_EQ(any.called.size(), 3U);
}

TEST_F(GenericServiceTest, LeavesToOthersWhatItsPrefixesDoNotFit) {
  AnyService any({"/any."});
  Server server;
  server.add_service(any).listen(target());
  ASSERT_TRUE(server.start());
  const GenericStub stub{Channel(target())};

  EXPECT_TRUE(stub.unary("/any.X/Echo", bytes("x"), in_time()).ok());
  const Status other = stub.unary("/other.X/Echo", bytes("x"), in_time()).status();

  EXPECT_EQ(other.code(), StatusCode::unimplemented);
  EXPECT_THAT(std::string(other.message()), HasSubstr("unknown service"));
}

TEST_F(GenericServiceTest, HasCallsThatAreLimitedByTheirNames) {
  AnyService any;
  Server server(ServerOptions().max_concurrent_calls("/any.X/Hold", 1));
  server.add_service(any).listen(target());
  ASSERT_TRUE(server.start()) << "a method that it may have";
  const GenericStub stub{Channel(target())};
  auto held = stub.bidi_streaming("/any.X/Hold", in_time());
  ASSERT_TRUE(any.started.wait_for(1));

  EXPECT_TRUE(stub.unary("/any.X/Echo", bytes("x"), in_time()).ok());
  const Status refused = stub.unary("/any.X/Hold", bytes("x"), in_time()).status();

  EXPECT_EQ(refused.code(), StatusCode::resource_exhausted) << refused.to_string();
  EXPECT_TRUE(log_capture().take("/any.X/Hold has 1 calls under way"));
  held.cancel();
  EXPECT_TRUE(any.cancelled.wait_for(1));
}

}  // namespace
}  // namespace nearcall::test

// SPDX-License-Identifier: Apache-2.0
// examples/proxy as a process between a channel and a server of another one: what passes through
// it, and what it keeps.
#include "integration/both_drivers.hpp"
#include "integration/server_process.hpp"
#include "support/sanitized.hpp"

#include <nearcall/generic_service.hpp>
#include <nearcall/trace_context.hpp>

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <ostream>
#include <stop_token>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// The example, in a process of its own.
class ProxyProgram {
 public:
  ProxyProgram(const std::string& front, const std::string& back) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const detail::UniqueFd read(ends[0]);
    detail::UniqueFd write(ends[1]);
    process_ = std::make_unique<ChildProcess>([&] {
      ::dup2(write.get(), STDOUT_FILENO);
      ::execl(PROXY_PROGRAM, PROXY_PROGRAM, front.c_str(), back.c_str(), nullptr);
      return 1;
    });
    write.reset();
    char byte = 0;
    while (::read(read.get(), &byte, 1) == 1 && byte != '\n')
      said_ += byte;
  }
  ~ProxyProgram() {
    if (process_->pid() > 0) {
      begin_stop();
      EXPECT_EQ(wait(), 0);
    }
  }
  ProxyProgram(const ProxyProgram&) = delete;
  ProxyProgram& operator=(const ProxyProgram&) = delete;

  const std::string& said() const noexcept { return said_; }
  pid_t pid() const noexcept { return process_->pid(); }
  /// In good order.
  void begin_stop() { ::kill(process_->pid(), SIGTERM); }
  int wait() { return process_->wait(); }

 private:
  std::string said_;
  std::unique_ptr<ChildProcess> process_;
};

/// Sanitizers keep what is freed for a while.
constexpr std::size_t little = (is_sanitized ? 512 : 32) * mebibyte;

class GenericProxy : public ServerProcessTest {
 protected:
  void SetUp() override {
    ServerProcessTest::SetUp();
    ASSERT_EQ(proxy_.said(), "listening on " + front_);
  }

  const std::string front_ = "unix:" + folder_.file("front.sock");
  ProxyProgram proxy_{front_, server_.target()};
  Channel channel_{front_};
  Echo::Client echo_{channel_};
};

class GenericProxyForms : public GenericProxy, public testing::WithParamInterface<ClientDriver> {};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         GenericProxyForms,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

TEST_P(GenericProxyForms, CarriesCallsOfAllKinds) {
  const Status status =
      converse(GetParam(), echo_, {.rounds = 100, .big_size = 2'000'000, .replies = 1000});

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(GenericProxy, CarriesMetadataBothWays) {
  CallInfo info;
  const CallOptions options = CallOptions()
                                  .timeout(20s)
                                  .metadata("key", "7")
                                  .metadata("key", "8")
                                  .metadata("some-bin", std::string("\0\xff", 2));

  const Result<EchoReply> reply = echo_.Unary(request_of("x"), options, &info);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(info.headers().get_all("header-key"), (std::vector<std::string_view>{"7", "8"}));
  EXPECT_EQ(info.headers().get("header-some-bin"), std::string_view("\0\xff", 2));
  EXPECT_EQ(info.trailers().get_all("trailer-key"), (std::vector<std::string_view>{"7", "8"}));
}

TEST_F(GenericProxy, IsASpanOfTheTraceThatACallIsIn) {
  CallInfo info;
  const TraceContext trace = TraceContext::start();

  const Result<EchoReply> reply =
      echo_.Unary(request_of("x"), CallOptions().timeout(20s).trace(trace), &info);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  const std::vector<std::string_view> came = info.headers().get_all("header-traceparent");
  ASSERT_EQ(came.size(), 1U);
  EXPECT_THAT(came.front(), testing::HasSubstr(trace.trace_id()));
  EXPECT_NE(came.front(), trace.traceparent());
}

TEST_F(GenericProxy, CarriesFailuresWithTheirTrailers) {
  EchoRequest request;
  request.set_code(static_cast<int>(StatusCode::out_of_range));
  request.set_message("too far, \xc3\xa4");

  const Status status =
      echo_.Unary(request, CallOptions().timeout(20s).metadata("key", "7")).status();

  EXPECT_EQ(status.code(), StatusCode::out_of_range);
  EXPECT_EQ(status.message(), "too far, \xc3\xa4");
  EXPECT_EQ(status.trailers().get("trailer-key"), "7");
}

TEST_F(GenericProxy, SaysWhatTheServerSaysOfAMethodThatIsNotThere) {
  const Status status = echo_.NotThere(request_of("x"), CallOptions().timeout(20s)).status();

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
  EXPECT_THAT(status.message(), testing::HasSubstr("/nearcall.test.Echo/NotThere"));
}

TEST_F(GenericProxy, PassesTheDeadlineOn) {
  EchoRequest request;
  request.set_show_deadline(true);

  const Result<EchoReply> reply = echo_.Unary(request, CallOptions().timeout(20s));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_THAT(reply->number(), testing::AllOf(testing::Gt(0U), testing::Le(20U)));
}

TEST_F(GenericProxy, PassesACancellationOn) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  auto call = echo_.Expand(request, CallOptions().timeout(60s));
  ASSERT_TRUE(server_.has_started());

  call.cancel();

  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
  EXPECT_TRUE(server_.has_cancelled());
}

TEST_F(GenericProxy, CancelsTheCallOfAClientThatIsGone) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  ChildProcess client([&] {
    const Channel channel(front_);
    auto call = Echo::Client(channel).Expand(request, CallOptions().timeout(60s));
    return server_.has_started() ? 0 : 1;  // and leaves, without a word
  });
  EXPECT_EQ(client.wait(), 0);

  EXPECT_TRUE(server_.has_cancelled());
}

TEST_F(GenericProxy, FailsTheCallsOfAServerThatDiedAndThoseThatFollow) {
  auto call = echo_.Chat(CallOptions().timeout(60s));
  ASSERT_TRUE(call.write(request_of("x", 1)));
  ASSERT_TRUE(call.read());

  server_.kill();

  EXPECT_FALSE(call.read());
  EXPECT_EQ(call.finish().code(), StatusCode::unavailable);
  const Status next = echo_.Unary(request_of("x"), CallOptions().timeout(20s)).status();
  EXPECT_EQ(next.code(), StatusCode::unavailable);
}

TEST_F(GenericProxy, KeepsLittleOfWhatASlowReaderHasNotRead) {
  EchoRequest request = request_of("", /*replies=*/2000);
  request.set_reply_size(1'000'000);
  ASSERT_TRUE(echo_.Unary(request_of(std::string(1'000'000, 'x')), CallOptions().timeout(20s)));
  const std::size_t before = resident_bytes(proxy_.pid());
  auto call = echo_.Expand(request, CallOptions().timeout(60s));

  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(call.read());
  for (int i = 0; i < 50; ++i)  // it has all the time it wants to read on
    ASSERT_TRUE(echo_.Unary(request_of("x"), CallOptions().timeout(20s)));
  const std::size_t after = resident_bytes(proxy_.pid());

  EXPECT_LT(after, before + little) << "of 2 GB";
  call.cancel();
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
}

TEST_F(GenericProxy, KeepsLittleOfWhatASlowServerHasNotRead) {
  EchoRequest first = request_of("", /*replies=*/1000);  // which nobody reads: so it stops reading
  first.set_reply_size(1'000'000);
  auto call = echo_.Chat(CallOptions().timeout(60s));
  ASSERT_TRUE(call.write(first));
  ASSERT_TRUE(call.read());
  const std::size_t before = resident_bytes(proxy_.pid());
  std::jthread writer([&] {
    while (call.write(request_of(std::string(1'000'000, 'x')))) {
    }
  });

  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(echo_.Unary(request_of("x"), CallOptions().timeout(20s)));
  const std::size_t after = resident_bytes(proxy_.pid());

  EXPECT_LT(after, before + little);
  call.cancel();
}

Task<int> make_many(const Echo::Client& echo, int count, ServerProcess& server) {
  EchoRequest request;
  request.set_wait_for_stop(true);
  std::vector<AsyncUnaryCall<EchoReply>> calls;
  for (int i = 0; i < count; ++i)
    calls.push_back(echo.UnaryAsync(request, CallOptions().timeout(60s)));
  std::jthread stopper([&] {
    for (int i = 0; i < count; ++i)
      EXPECT_TRUE(server.has_started());
    EXPECT_EQ(server.stop(), 0);
  });
  int good = 0;
  for (auto& call : calls) {
    const Result<EchoReply> reply = co_await call;
    good += reply.ok() ? 1 : 0;
    if (!reply.ok()) ADD_FAILURE() << reply.status().to_string();
  }
  co_return good;
}

TEST_F(GenericProxy, CarriesAThousandCallsAtATime) {
  EXPECT_EQ(sync_wait(make_many(echo_, 1000, server_)), 1000);
}

TEST_F(GenericProxy, FinishesWhatIsUnderWayBeforeItStops) {
  auto call = echo_.Chat(CallOptions().timeout(60s));
  ASSERT_TRUE(call.write(request_of("one", 1)));
  ASSERT_TRUE(call.read());

  proxy_.begin_stop();
  ASSERT_TRUE(call.write(request_of("two", 1)));
  const std::optional<EchoReply> reply = call.read();
  call.writes_done();

  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->payload(), "two");
  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(proxy_.wait(), 0);
}

/// Fails with details, whatever it is asked.
class Detailed final : public GenericService {
  Task<Status> serve(ServerContext&, Reader&, Writer&) override {
    co_return Status::aborted("no").with_details(std::string("\x08\x0a\0", 3));
  }
};

TEST(GenericProxyAlone, CarriesTheDetailsOfAFailure) {
  TempDir folder;
  const std::string back = "unix:" + folder.file("back.sock");
  const std::string front = "unix:" + folder.file("front.sock");
  const ProxyProgram proxy(front, back);
  Detailed detailed;
  Server server;
  server.add_service(detailed).listen(back);
  ASSERT_TRUE(server.start());
  const Channel channel(front);

  const Status status =
      Echo::Client(channel).Unary(request_of("x"), CallOptions().timeout(20s)).status();

  EXPECT_EQ(status.code(), StatusCode::aborted);
  EXPECT_EQ(status.details(), std::string("\x08\x0a\0", 3));
}

}  // namespace
}  // namespace nearcall::test

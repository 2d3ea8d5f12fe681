// SPDX-License-Identifier: Apache-2.0
// Calls by name: what goes over the wire, what is no name, and how many names a channel keeps.
#include "client/bound_method.hpp"
#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"
#include "support/noting_observer.hpp"

#include <nearcall/generic_stub.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class GenericStubTest : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  Result<GenericMessage> call(const GenericStub& stub,
                              std::string_view method,
                              const GenericMessage& request,
                              const CallOptions& options = patient()) {
    if (GetParam() == CallForm::blocking) return stub.unary(method, request, options);
    return sync_wait(await(stub, method, request, options));
  }

 private:
  static Task<Result<GenericMessage>> await(const GenericStub& stub,
                                            std::string_view method,
                                            const GenericMessage& request,
                                            const CallOptions& options) {
    auto call = stub.unary_async(method, request, options);
    co_return co_await call;
  }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         GenericStubTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(GenericStubTest, SendsTheNameAndTheBytesAsTheyAre) {
  std::string path;
  std::string body;
  {
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      path = peer.header(":path");
      body = peer.heard(*stream).body;
      peer.answer(*stream, "reply");
      EXPECT_TRUE(peer.wait_for_end());
    }});
    const GenericStub stub(Channel("mine", server.options()));

    const Result<GenericMessage> reply =
        call(stub, "/a.B/C", GenericMessage(std::string("\xff no protobuf\0at all", 20)));

    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->bytes(), text_of("reply").SerializeAsString());
  }
  EXPECT_EQ(path, "/a.B/C");
  EXPECT_EQ(body, framed(std::string("\xff no protobuf\0at all", 20)));
}

TEST_P(GenericStubTest, FailsWithTheNameThatIsNoneAndSendsNothing) {
  ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
  const GenericStub stub(Channel("mine", server.options()));

  for (const char* name : {"", "/", "a.B/C", "/a.B", "/a.B/", "//C", "/a.B/C/D", "/a.B/ C",
                           "/a.B/\xc3\xa4", "/a.B/C\n"}) {
    const Result<GenericMessage> reply = call(stub, name, GenericMessage());

    EXPECT_EQ(reply.status().code(), StatusCode::invalid_argument) << name;
    EXPECT_EQ(reply.status().reason(), StatusReason::misuse);
    EXPECT_THAT(std::string(reply.status().message()), HasSubstr("/package.Service/Method"));
  }
  EXPECT_THAT(std::string(call(stub, "a.B/C", GenericMessage()).status().message()),
              HasSubstr("\"a.B/C\""));
  EXPECT_EQ(server.connection_count(), 0U);
}

TEST_P(GenericStubTest, FailsAStreamTooWhoseNameIsNone) {
  ScriptedServer server({[](SessionPeer& peer) { peer.wait_for_end(); }});
  const GenericStub stub(Channel("mine", server.options()));
  const auto await = [](const GenericStub& made_by) -> Task<Status> {
    auto call = made_by.bidi_streaming_async("/none");
    const GenericMessage request;
    EXPECT_FALSE(co_await call.write(request));
    co_return co_await call.finish();
  };
  const auto block = [](const GenericStub& made_by) {
    auto call = made_by.bidi_streaming("/none");
    EXPECT_FALSE(call.write(GenericMessage()));
    return call.finish();
  };

  const Status status = GetParam() == CallForm::blocking ? block(stub) : sync_wait(await(stub));

  EXPECT_EQ(status.code(), StatusCode::invalid_argument);
}

TEST_P(GenericStubTest, TakesNoMoreThanTheLimitOfMessages) {
  ScriptedServer server(
      {[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all(std::string(1000, 'x'))); }});
  const GenericStub stub(Channel("mine", server.options()));

  const Result<GenericMessage> reply =
      call(stub, "/a.B/C", GenericMessage(), patient().max_receive_message_size(999));
  const Result<GenericMessage> sent = call(stub, "/a.B/C", GenericMessage(std::string(1000, 'x')),
                                           patient().max_send_message_size(999));

  EXPECT_EQ(reply.status().code(), StatusCode::resource_exhausted);
  EXPECT_EQ(sent.status().code(), StatusCode::resource_exhausted);
}

TEST_P(GenericStubTest, TellsObserversThatItIsAnotherMethod) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  const auto observer = std::make_shared<NotingObserver>();
  const GenericStub stub(Channel("mine", server.options().observer(observer)));

  EXPECT_TRUE(call(stub, "/a.B/C", GenericMessage()).ok());

  EXPECT_EQ(observer->take(), (NotingObserver::Lines{"client other: begun", "client other: OK"}));
}

TEST(MethodTable, BindsANamedMethodOnceForAllItsCalls) {
  detail::MethodTable table("somewhere");

  const auto first = table.bind_named(std::string("/a.B/C"), MethodKind::unary);
  const auto again = table.bind_named(std::string("/a.B/C"), MethodKind::unary);
  const auto stream = table.bind_named("/a.B/C", MethodKind::bidi_streaming);

  EXPECT_EQ(first, again);
  EXPECT_NE(first, stream);
  EXPECT_STREQ(stream->method.path, "/a.B/C");
  EXPECT_EQ(stream->method.kind, MethodKind::bidi_streaming);
}

TEST(MethodTable, KeepsNoMoreNamesThanItsBudgetAndCallsKeepTheirOwn) {
  detail::MethodTable table("somewhere");
  const auto first = table.bind_named("/a.B/First", MethodKind::unary);
  for (std::size_t i = 1; i < detail::MethodTable::most_named; ++i)
    table.bind_named("/a.B/" + std::to_string(i), MethodKind::unary);
  EXPECT_EQ(table.bind_named("/a.B/First", MethodKind::unary), first) << "there is room for it";

  table.bind_named("/a.B/OneMore", MethodKind::unary);

  EXPECT_EQ(first.use_count(), 1) << "the table has let it go";
  EXPECT_STREQ(first->method.path, "/a.B/First");
  EXPECT_NE(table.bind_named("/a.B/First", MethodKind::unary), first);
}

TEST(MethodTable, KeepsNoLongNames) {
  detail::MethodTable table("somewhere");
  const std::string longest = "/a/" + std::string(detail::MethodTable::most_name - 3, 'b');

  EXPECT_EQ(table.bind_named(longest, MethodKind::unary).use_count(), 2);
  EXPECT_EQ(table.bind_named(longest + "b", MethodKind::unary).use_count(), 1);
}

}  // namespace
}  // namespace nearcall::test

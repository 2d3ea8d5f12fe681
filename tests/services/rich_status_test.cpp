// SPDX-License-Identifier: Apache-2.0
// RichStatus: built by a handler, sent, and read by a client; in the bytes that others write.
#include "support/log_capture.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/rich_status.hpp>
#include <nearcall/service.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <google/rpc/error_details.pb.h>

namespace nearcall::test {
namespace {

using google::protobuf::Empty;
using google::rpc::BadRequest;
using google::rpc::ErrorInfo;
using google::rpc::RetryInfo;
using testing::TestServer;

RetryInfo after_seconds(int seconds) {
  RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(seconds);
  return retry;
}

ErrorInfo error_info(const std::string& reason) {
  ErrorInfo info;
  info.set_reason(reason);
  return info;
}

std::string error_of(const Status& status) {
  const Result<RichStatus> rich = RichStatus::from(status);
  return rich ? "none" : rich.error().to_string();
}

TEST(RichStatusTest, GivesBackWhatWasAdded) {
  const RichStatus rich =
      RichStatus(StatusCode::unavailable, "busy").add(after_seconds(5)).add(error_info("LOAD"));

  const Result<RichStatus> read = RichStatus::from(rich.to_status());

  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(read->code(), StatusCode::unavailable);
  EXPECT_EQ(read->message(), "busy");
  ASSERT_EQ(read->details().size(), 2U);
  EXPECT_EQ(read->find<RetryInfo>()->retry_delay().seconds(), 5);
  EXPECT_EQ(read->find<ErrorInfo>()->reason(), "LOAD");
  EXPECT_FALSE(read->find<BadRequest>());
}

TEST(RichStatusTest, TakesAnyMessageAndFindsTheFirstOfAType) {
  google::protobuf::StringValue own;
  own.set_value("of the program");
  const RichStatus rich = RichStatus(StatusCode::aborted, "")
                              .add(error_info("first"))
                              .add(own)
                              .add(error_info("second"));

  EXPECT_EQ(rich.find<ErrorInfo>()->reason(), "first");
  EXPECT_EQ(rich.find<google::protobuf::StringValue>()->value(), "of the program");
}

TEST(RichStatusTest, PassesOverADetailThatCannotBeRead) {
  const std::string broken =
      "\x08\x0a"
      "\x1a\x30\x0a\x28"
      "type.googleapis.com/google.rpc.ErrorInfo\x12\x04\x0a\x7f"
      "ab"
      "\x1a\x33\x0a\x28"
      "type.googleapis.com/google.rpc.ErrorInfo\x12\x07\x0a\x05later";
  const Result<RichStatus> read = RichStatus::from(Status::aborted("").with_details(broken));

  ASSERT_TRUE(read.ok()) << read.status().to_string();
  EXPECT_EQ(read->details().size(), 2U);
  EXPECT_EQ(read->find<ErrorInfo>()->reason(), "later");
}

TEST(RichStatusTest, HasTheBytesThatOtherImplementationsWrite) {
  BadRequest bad;
  bad.add_field_violations()->set_field("name");

  EXPECT_EQ(RichStatus(StatusCode::invalid_argument, "no").add(bad).to_status().details(),
            "\x08\x03\x12\x02no\x1a\x35"
            "\x0a\x29"
            "type.googleapis.com/google.rpc.BadRequest"
            "\x12\x08\x0a\x06\x0a\x04name");
}

TEST(RichStatusTest, OfAFailureWithoutDetailsHasItsCodeAndMessage) {
  const Result<RichStatus> read = RichStatus::from(Status::not_found("nobody"));

  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->code(), StatusCode::not_found);
  EXPECT_EQ(read->message(), "nobody");
  EXPECT_TRUE(read->details().empty());
}

TEST(RichStatusTest, OfOkIsOkAndSendsNoDetails) {
  EXPECT_EQ(RichStatus::from(Status())->code(), StatusCode::ok);
  EXPECT_TRUE(RichStatus(StatusCode::ok, "").add(error_info("x")).to_status().ok());
}

TEST(RichStatusTest, RefusesWhatIsNoStatusOrOneOfAnotherCode) {
  EXPECT_EQ(error_of(Status::aborted("").with_details("\x0a\x7f")),
            "INTERNAL: grpc-status-details-bin is no google.rpc.Status");
  const std::string details = RichStatus(StatusCode::aborted, "a").to_status().details();
  EXPECT_EQ(error_of(Status::not_found("").with_details(details)),
            "INTERNAL: grpc-status-details-bin is of code 10, and the call ended with 5");
}

TEST(RichStatusTest, ACodeOutsideTheListIsUnknownInBoth) {
  const std::string details = "\x08\x63";  // 99
  EXPECT_EQ(error_of(Status(static_cast<StatusCode>(99), "").with_details(details)), "none");
}

// ---- over the wire ------------------------------------------------------------------------------

constexpr Method failing[] = {{"/test.Failing/Fail", MethodKind::unary}};

class FailingService final : public Service {
 public:
  FailingService()
      : Service("test.Failing",
                {detail::unary_handler<FailingService, Empty, Empty, &FailingService::fail>(
                    failing[0])}) {}
  std::string padding;

 private:
  Task<Result<Empty>> fail(ServerContext& /*call*/, Empty /*request*/) {
    co_return RichStatus(StatusCode::unavailable, "too busy")
        .add(after_seconds(5))
        .add(error_info(padding))
        .to_status();
  }
};

TEST(RichStatusTest, OfAHandlerReachesTheClientInBothForms) {
  FailingService service;
  const TestServer server(service);
  const ClientStub stub(server.channel(), failing);

  const Status blocking = stub.unary<Empty>(0, Empty(), CallOptions()).status();
  const Status awaited = sync_wait(std::invoke(
      [](const ClientStub& on) -> Task<Status> {
        auto call = on.unary_async<Empty>(0, Empty(), CallOptions());
        const Result<Empty> reply = co_await call;
        co_return reply.status();
      },
      stub));

  for (const Status& status : {blocking, awaited}) {
    EXPECT_EQ(status.to_string(), "UNAVAILABLE: too busy");
    EXPECT_EQ(RichStatus::from(status)->find<RetryInfo>()->retry_delay().seconds(), 5);
  }
}

TEST(RichStatusTest, WhoseDetailsAreTooLargeForTrailersKeepsItsCode) {
  LogCapture log;
  FailingService service;
  service.padding = std::string(20'000, 'x');
  const TestServer server(service);

  const Status status =
      ClientStub(server.channel(), failing).unary<Empty>(0, Empty(), CallOptions()).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_TRUE(RichStatus::from(status)->details().empty());
  EXPECT_TRUE(log.take("trailers were left out"));
}

}  // namespace
}  // namespace nearcall::test

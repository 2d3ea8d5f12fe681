// SPDX-License-Identifier: Apache-2.0
// Metrics: what they say of real calls, as Prometheus' parser reads it, and over their own service.
#include "support/log_capture.hpp"
#include "support/messages.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/client_stub.hpp>
#include <nearcall/metrics.hpp>
#include <nearcall/server.hpp>

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Method methods[] = {{"/test.Meter/Echo", MethodKind::unary},
                              {"/test.Meter/Nothing", MethodKind::unary}};

/// Answers with what it is asked; NOT_FOUND where that is empty.
class MeterService final : public Service {
 public:
  MeterService()
      : Service(
            "test.Meter",
            {detail::unary_handler<MeterService, Text, Text, &MeterService::Echo>(methods[0])}) {}

 private:
  Task<Result<Text>> Echo(ServerContext& /*call*/, Text request) {
    if (request.value().empty()) co_return Status::not_found("nothing");
    co_return request;
  }
};

class MetricsTest : public LogCheckedTest {
 protected:
  MetricsTest() {
    server_.add_service(std::make_shared<MeterService>());
    add_metrics(server_, of_server_);
    server_.listen(target());
    EXPECT_TRUE(server_.start());
  }
  ~MetricsTest() override {
    server_.stop();
    server_.wait();
  }
  std::string target() const { return "inproc:meter" + std::to_string(::getpid()); }
  Status call(std::size_t method, const std::string& text) {
    return stub_.unary<Text>(method, text_of(text), CallOptions()).status();
  }

  std::shared_ptr<Metrics> of_server_ = std::make_shared<Metrics>();
  std::shared_ptr<Metrics> of_client_ = std::make_shared<Metrics>();
  Server server_{ServerOptions().observer(of_server_)};
  Channel channel_{target(), ChannelOptions().observer(of_client_)};
  ClientStub stub_{channel_, methods};
};

TEST_F(MetricsTest, CountCallsAndAttemptsByMethodAndStatus) {
  EXPECT_TRUE(call(0, "hello").ok());
  EXPECT_TRUE(call(0, "again").ok());
  EXPECT_EQ(call(0, "").code(), StatusCode::not_found);
  EXPECT_EQ(call(1, "x").code(), StatusCode::unimplemented);

  const std::string client = of_client_->text();
  const std::string at = ",grpc_target=\"" + target() + "\"";
  EXPECT_THAT(client,
              HasSubstr("attempt_started_total{grpc_method=\"test.Meter/Echo\"" + at + "} 3\n"));
  EXPECT_THAT(client, HasSubstr("attempt_duration_seconds_count{grpc_method=\"test.Meter/Echo\"" +
                                at + ",grpc_status=\"OK\"} 2\n"));
  EXPECT_THAT(client, HasSubstr("call_duration_seconds_count{grpc_method=\"test.Meter/Echo\"" + at +
                                ",grpc_status=\"NOT_FOUND\"} 1\n"));
  EXPECT_THAT(client, HasSubstr("sent_total_compressed_message_size_bytes_sum{grpc_method="
                                "\"test.Meter/Echo\"" +
                                at + ",grpc_status=\"OK\"} 14\n"));
  EXPECT_THAT(client, HasSubstr("rcvd_total_compressed_message_size_bytes_sum{grpc_method="
                                "\"test.Meter/Echo\"" +
                                at + ",grpc_status=\"OK\"} 14\n"));

  const std::string server = of_server_->text();
  EXPECT_THAT(server, HasSubstr("call_started_total{grpc_method=\"test.Meter/Echo\"} 3\n"));
  EXPECT_THAT(server, HasSubstr("call_started_total{grpc_method=\"other\"} 1\n"));
  EXPECT_THAT(server, HasSubstr("call_duration_seconds_count{grpc_method=\"test.Meter/Echo\","
                                "grpc_status=\"OK\"} 2\n"));
  EXPECT_THAT(server, HasSubstr("call_duration_seconds_count{grpc_method=\"other\","
                                "grpc_status=\"UNIMPLEMENTED\"} 1\n"));
  EXPECT_THAT(server, Not(HasSubstr("Nothing"))) << "a client may not name series";
}

TEST_F(MetricsTest, AreGivenToWhoCallsTheirService) {
  EXPECT_TRUE(call(0, "hello").ok());

  const Result<std::string> text = get_metrics(channel_);

  ASSERT_TRUE(text) << text.error().to_string();
  EXPECT_THAT(*text, HasSubstr("call_started_total{grpc_method=\"test.Meter/Echo\"} 1\n"));
  EXPECT_THAT(*text, HasSubstr("{grpc_method=\"nearcall.metrics.v1.Metrics/Get\"} 1\n"));
}

#ifdef PROMETHEUS_PARSER
/// What the parser prints.
std::string parsed(const std::string& text) {
  const TempDir folder;
  std::ofstream(folder.file("text")) << text;
  const std::string command = PROMETHEUS_PARSER " < " + folder.file("text") + " 2>&1";
  std::FILE* const output = ::popen(command.c_str(), "r");
  std::string words;
  std::array<char, 4096> some{};
  while (const std::size_t count = std::fread(some.data(), 1, some.size(), output))
    words.append(some.data(), count);
  EXPECT_EQ(::pclose(output), 0) << words;
  return words;
}

TEST_F(MetricsTest, AreReadByPrometheusParser) {
  const std::string strange = "unix:/tmp/a\"b\\c\nd\xff";
  const auto metrics = std::make_shared<Metrics>();
  const Channel nowhere(strange, ChannelOptions().observer(metrics));
  EXPECT_FALSE(ClientStub(nowhere, methods).unary<Text>(0, text_of("x"), CallOptions()).ok());
  EXPECT_TRUE(call(0, "hello").ok());

  EXPECT_THAT(parsed(metrics->text()),
              HasSubstr("histogram grpc_client_call_duration_seconds\n"
                        "  grpc_client_call_duration_seconds_count: test.Meter/Echo, UNAVAILABLE, "
                        "unix:/tmp/a\"b\\c\nd\xEF\xBF\xBD: 1\n"));
  const std::string server = parsed(of_server_->text());
  EXPECT_THAT(server, HasSubstr("counter grpc_server_call_started\n"
                                "  grpc_server_call_started_total: test.Meter/Echo: 1\n"));
  EXPECT_THAT(server, HasSubstr("histogram grpc_server_call_duration_seconds\n"
                                "  grpc_server_call_duration_seconds_count: test.Meter/Echo, OK: "
                                "1\n"));
}
#endif

}  // namespace
}  // namespace nearcall::test

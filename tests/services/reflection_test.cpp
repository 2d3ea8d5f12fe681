// SPDX-License-Identifier: Apache-2.0
// The reflection services of a server, as clients see them.
#include "services/reflection_stub.hpp"
#include "services/schema.pb.h"
#include "support/live_memory.hpp"
#include "support/log_capture.hpp"

#include <nearcall/health.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/server.hpp>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>

namespace nearcall::test {
namespace {

using testing::ElementsAre;
using Request = ReflectionStub::Request;
using Response = ReflectionStub::Response;

/// Both versions: a position in ReflectionStub::methods.
struct Version {
  std::size_t method;
};
void PrintTo(Version version, std::ostream* out) {
  *out << (version.method == 0 ? "V1" : "V1alpha");
}

class ReflectionTest : public LogCheckedTest, public testing::WithParamInterface<Version> {
 protected:
  ReflectionTest() {
    google::protobuf::LinkMessageReflection<schema::Key>();
    server_.add_service(health_);
    add_reflection(server_);
    server_.listen("inproc:ReflectionTest");
    EXPECT_TRUE(server_.start());
  }
  ReflectionStub::Talking talk() const { return stub_.talk(GetParam().method); }
  static Request symbol(const std::string& name) {
    Request request;
    request.set_file_containing_symbol(name);
    return request;
  }

  Health health_;
  Server server_;
  Channel channel_{"inproc:ReflectionTest"};
  ReflectionStub stub_{channel_};
};
INSTANTIATE_TEST_SUITE_P(,
                         ReflectionTest,
                         testing::Values(Version{0}, Version{1}),
                         testing::PrintToStringParamName());

TEST_P(ReflectionTest, ListsWhatThisServerServes) {
  auto call = talk();
  Request request;
  request.set_list_services("*");
  ASSERT_TRUE(call.write(request));

  const std::optional<Response> response = call.read();

  ASSERT_TRUE(response) << call.finish().to_string();
  std::vector<std::string> names;
  for (const auto& service : response->list_services_response().service())
    names.push_back(service.name());
  EXPECT_THAT(names, ElementsAre("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_P(ReflectionTest, AnswersOneRequestAfterTheOtherInOneCall) {
  auto call = talk();

  for (const auto& [name, file] :
       {std::pair("grpc.health.v1.Health", "grpc/health/v1/health.proto"),
        std::pair("nearcall.test.schema.Store", "services/schema.proto")}) {
    ASSERT_TRUE(call.write(symbol(name)));
    const std::optional<Response> response = call.read();
    ASSERT_TRUE(response) << call.finish().to_string();
    google::protobuf::FileDescriptorProto first;
    ASSERT_TRUE(
        first.ParseFromString(response->file_descriptor_response().file_descriptor_proto(0)));
    EXPECT_EQ(first.name(), file);
  }
  ASSERT_TRUE(call.write(symbol("none.None")));
  EXPECT_EQ(call.read()->error_response().error_code(), 5);
  call.writes_done();
  EXPECT_FALSE(call.read());
  EXPECT_EQ(call.finish().to_string(), "OK");
}

TEST_P(ReflectionTest, RefusesANameOfAMebibyte) {
  auto call = talk();
  call.write(symbol(std::string(1'048'576, 'x')));

  EXPECT_FALSE(call.read());
  EXPECT_EQ(call.finish().to_string(),
            "RESOURCE_EXHAUSTED: reflection: a request of 1048580 bytes, more than 4096");
}

TEST_P(ReflectionTest, KeepsNothingOfNamesThatItDoesNotKnow) {
  auto call = talk();
  const auto ask = [&call](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(call.write(symbol(std::to_string(i) + std::string(1'000, 'x'))));
      ASSERT_TRUE(call.read());
    }
  };
  ASSERT_NO_FATAL_FAILURE(ask(1'000));
  const std::size_t before = live_memory();

  ASSERT_NO_FATAL_FAILURE(ask(5'000));

  EXPECT_LE(live_memory(), before + 1'000'000) << "of five megabytes of names";
}

TEST_P(ReflectionTest, RefusesMoreCallsThanItAnswersAtATime) {
  std::vector<ReflectionStub::Talking> calls;
  for (int i = 0; i < 64; ++i) {
    calls.push_back(talk());
    ASSERT_TRUE(calls.back().write(symbol("grpc.health.v1.Health")));
    ASSERT_TRUE(calls.back().read()) << calls.back().finish().to_string();
  }

  EXPECT_EQ(talk().finish().to_string(),
            "RESOURCE_EXHAUSTED: reflection: more than 64 calls at a time");
  calls.back().writes_done();
  EXPECT_EQ(calls.back().finish().to_string(), "OK");
  auto again = talk();
  again.writes_done();
  EXPECT_EQ(again.finish().to_string(), "OK");
}

TEST_P(ReflectionTest, ACallThatStaysOpenDoesNotHoldUpTheDrain) {
  auto call = talk();
  ASSERT_TRUE(call.write(symbol("grpc.health.v1.Health")));
  ASSERT_TRUE(call.read());

  server_.stop();
  server_.wait();  // 30 s if it did

  EXPECT_FALSE(call.read());
  EXPECT_EQ(call.finish().to_string(), "OK");
}

}  // namespace
}  // namespace nearcall::test

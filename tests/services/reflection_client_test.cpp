// SPDX-License-Identifier: Apache-2.0
// list_services(): in both forms, of servers that speak one version or none.
#include "services/reflection_stub.hpp"
#include "support/call_form.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>

namespace nearcall::test {
namespace {

using testing::ElementsAre;
using testing::TestServer;
using Names = std::vector<std::string>;

/// A server that knows v1alpha alone, and answers what it is told to.
class OldReflection final : public Service {
 public:
  OldReflection()
      : Service(
            "grpc.reflection.v1alpha.ServerReflection",
            {detail::bidi_streaming_handler<OldReflection,
                                            reflection_wire::ServerReflectionRequest,
                                            reflection_wire::ServerReflectionResponse,
                                            &OldReflection::talk>(ReflectionStub::methods[1])}) {}

  std::optional<reflection_wire::ServerReflectionResponse> response;

 private:
  Task<Status> talk(ServerContext& /*call*/,
                    ServerReader<reflection_wire::ServerReflectionRequest>& requests,
                    ServerWriter<reflection_wire::ServerReflectionResponse>& replies) {
    co_await requests.read();
    if (response) co_await replies.write(*response);
    co_return Status();
  }
};

class ListServicesTest : public testing::TestWithParam<CallForm> {
 protected:
  static Task<Result<Names>> awaited(const Channel& channel) {
    Result<Names> names = co_await list_services_async(channel);
    co_return names;
  }
  Result<Names> list(const Channel& channel) {
    if (GetParam() == CallForm::awaited) return sync_wait(awaited(channel));
    return list_services(channel);
  }
};
INSTANTIATE_TEST_SUITE_P(,
                         ListServicesTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(ListServicesTest, GivesTheNamesOfAServer) {
  Server server;
  add_reflection(server);
  server.listen("inproc:ListServicesTest");
  ASSERT_TRUE(server.start());

  const Result<Names> names = list(Channel("inproc:ListServicesTest"));

  ASSERT_TRUE(names.ok()) << names.status().to_string();
  EXPECT_THAT(*names, ElementsAre("grpc.reflection.v1.ServerReflection",
                                  "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_P(ListServicesTest, AsksOldServersInTheirVersion) {
  OldReflection old;
  old.response.emplace().mutable_list_services_response()->add_service()->set_name("a.A");
  const TestServer server(old);

  const Result<Names> names = list(server.channel());

  ASSERT_TRUE(names.ok()) << names.status().to_string();
  EXPECT_THAT(*names, ElementsAre("a.A"));
}

TEST_P(ListServicesTest, OfAServerThatRefusesIsItsError) {
  OldReflection old;
  old.response.emplace().mutable_error_response()->set_error_code(7);
  old.response->mutable_error_response()->set_error_message("not you");
  const TestServer server(old);
  EXPECT_EQ(list(server.channel()).status().to_string(), "PERMISSION_DENIED: not you");

  old.response.reset();
  EXPECT_EQ(list(server.channel()).status().to_string(),
            "INTERNAL: reflection: the server gave no answer");
}

}  // namespace
}  // namespace nearcall::test

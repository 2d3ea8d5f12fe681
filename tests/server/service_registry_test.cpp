// SPDX-License-Identifier: Apache-2.0
// ServiceRegistry: paths, and only whole paths, lead to handlers.
#include "server/service_registry.hpp"

#include <google/protobuf/empty.pb.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

class ClockOnly final : public Service {
 public:
  ClockOnly() : ClockOnly("test.Clock", "/test.Clock/Set", "/test.Clock/Get") {}
  ClockOnly(const char* name, const char* set, const char* get)
      : Service(
            name,
            {handler(Method{set, MethodKind::unary}), handler(Method{get, MethodKind::unary})}) {}

 private:
  using Empty = google::protobuf::Empty;
  Task<Result<Empty>> Nothing(ServerContext& /*call*/, Empty request) { co_return request; }
  static MethodHandler handler(const Method& method) {
    return unary_handler<ClockOnly, Empty, Empty, &ClockOnly::Nothing>(method);
  }
};

TEST(ServiceRegistry, FindsEachMethodOfAServiceWithTheService) {
  ClockOnly clock;
  ServiceRegistry registry;
  registry.add(clock);

  const ServedMethod set = registry.find("/test.Clock/Set");
  const ServedMethod get = registry.find("/test.Clock/Get");

  ASSERT_NE(set.handler, nullptr);
  EXPECT_STREQ(set.handler->method.path, "/test.Clock/Set");
  EXPECT_EQ(set.service, &clock);
  ASSERT_NE(get.handler, nullptr);
  EXPECT_STREQ(get.handler->method.path, "/test.Clock/Get");
}

TEST(ServiceRegistry, KeepsServicesApart) {
  ClockOnly clock;
  ClockOnly other("test.Other", "/test.Other/Set", "/test.Other/Get");
  ServiceRegistry registry;
  registry.add(clock);
  registry.add(other);

  EXPECT_EQ(registry.find("/test.Clock/Get").service, &clock);
  EXPECT_EQ(registry.find("/test.Other/Get").service, &other);
}

TEST(ServiceRegistry, FindsNothingByAnotherSpelling) {
  ClockOnly clock;
  ServiceRegistry registry;
  registry.add(clock);

  for (const char* path : {"", "/", "/test.Clock", "/test.Clock/", "test.Clock/Get",
                           "/test.Clock/get", "/test.Clock/Get/", "//test.Clock/Get",
                           "/test.Clock/Ge", "/test.Clock/Gett", "/ClockOnly/Get"}) {
    EXPECT_EQ(registry.find(path).handler, nullptr) << path;
  }
}

TEST(ServiceRegistry, KnowsWhichServicesThereAre) {
  ClockOnly clock;
  ServiceRegistry registry;
  EXPECT_FALSE(registry.has_service("test.Clock"));
  registry.add(clock);

  EXPECT_TRUE(registry.has_service("test.Clock"));
  EXPECT_FALSE(registry.has_service("test.clock"));
  EXPECT_FALSE(registry.has_service(""));
}

TEST(ServiceRegistryDeathTest, TheSameServiceTwiceIsABugOfTheProgram) {
  ClockOnly clock;
  ClockOnly again;
  ServiceRegistry registry;
  registry.add(clock);

  EXPECT_DEATH(registry.add(again), "test.Clock");
}

class AnyMethod final : public GenericService {
 public:
  using GenericService::GenericService;

 private:
  Task<Status> serve(ServerContext& /*call*/, Reader& /*requests*/, Writer& /*replies*/) override {
    co_return Status();
  }
};

TEST(ServiceRegistry, GivesToAGenericServiceWhatNobodyElseServes) {
  ClockOnly clock;
  AnyMethod any;
  ServiceRegistry registry;
  registry.add(any);
  registry.add(clock);

  EXPECT_EQ(registry.find("/test.Clock/Get").service, &clock);
  EXPECT_EQ(registry.find("/test.Clock/Another").service, &any);
  EXPECT_EQ(registry.find("/test.Other/Get").service, &any);
  EXPECT_TRUE(registry.find("/test.Other/Get").is_generic());
  EXPECT_EQ(registry.service_names(), std::vector<std::string>{"test.Clock"});
}

TEST(ServiceRegistry, GivesNoNameToAGenericServiceThatItCouldNotSendOn) {
  AnyMethod any;
  ServiceRegistry registry;
  registry.add(any);

  for (const char* path :
       {"", "/", "/a", "/a/", "a/b", "/a/b/c", "/a/b c", "/a/\xc3\xa4", "/a/\x1b"})
    EXPECT_EQ(registry.find(path).handler, nullptr) << path;
}

TEST(ServiceRegistry, GivesAMethodToTheGenericServiceWithTheLongestPrefix) {
  AnyMethod of_package({"/a.", "/c.D/"});
  AnyMethod of_service({"/a.B/"});
  ServiceRegistry registry;
  registry.add(of_package);
  registry.add(of_service);

  EXPECT_EQ(registry.find("/a.B/Get").service, &of_service);
  EXPECT_EQ(registry.find("/a.C/Get").service, &of_package);
  EXPECT_EQ(registry.find("/c.D/Get").service, &of_package);
  EXPECT_EQ(registry.find("/c.Dd/Get").handler, nullptr);
}

TEST(ServiceRegistryDeathTest, APrefixThatIsNoneOrIsServedTwiceIsABugOfTheProgram) {
  AnyMethod one({"/a."});
  AnyMethod other({"/b.", "/a."});
  AnyMethod none({"a."});
  ServiceRegistry registry;
  registry.add(one);

  EXPECT_DEATH(registry.add(other), "serves \"/a\\.\"; a prefix begins with /");
  EXPECT_DEATH(registry.add(none), "serves \"a\\.\"");
}

}  // namespace
}  // namespace nearcall::inline v0::detail

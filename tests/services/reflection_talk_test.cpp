// SPDX-License-Identifier: Apache-2.0
// ReflectionTalk: each kind of request, and what it is answered.
#include "services/reflection_talk.hpp"

#include "services/schema.pb.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using testing::ElementsAre;
using Request = ReflectionTalk::Request;
using Response = ReflectionTalk::Response;

/// A file that imports others, and as many bytes of names.
FileDescriptorProto large_file(const std::string& name,
                               std::initializer_list<const char*> imports,
                               std::size_t bytes) {
  FileDescriptorProto file;
  file.set_name(name);
  for (const char* import : imports)
    file.add_dependency(import);
  for (std::size_t i = 0; i * 100 < bytes; ++i)
    file.add_message_type()->set_name(name.substr(0, 1) + std::to_string(i) + std::string(90, 'x'));
  return file;
}

class ReflectionTalkTest : public testing::Test {
 protected:
  ReflectionTalkTest() { google::protobuf::LinkMessageReflection<test::schema::Key>(); }

  Response answer(const std::function<void(Request&)>& ask) {
    Request request;
    ask(request);
    EXPECT_TRUE(ReflectionTalk::check(request).ok());
    return talk_.answer(std::move(request), {"a.A", "b.B"});
  }
  Response ask_file(const std::string& name) {
    return answer([&](Request& request) { request.set_file_by_filename(name); });
  }
  static std::vector<std::string> names(const Response& response) {
    std::vector<std::string> all;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      all.push_back(file.name());
    }
    return all;
  }
  static std::string error(const Response& response) {
    return std::to_string(response.error_response().error_code()) + " " +
           response.error_response().error_message();
  }

  LinkedFiles files_{*DescriptorPool::generated_pool()};
  ReflectionTalk talk_{files_};
};

TEST_F(ReflectionTalkTest, RepeatsTheRequestAndItsHost) {
  const Response response = answer([](Request& request) {
    request.set_host("here");
    request.set_list_services("*");
  });

  EXPECT_EQ(response.valid_host(), "here");
  EXPECT_EQ(response.original_request().host(), "here");
  EXPECT_EQ(response.original_request().list_services(), "*");
}

TEST_F(ReflectionTalkTest, ListsTheServicesOfTheServer) {
  const Response response = answer([](Request& request) { request.set_list_services(""); });

  ASSERT_EQ(response.list_services_response().service_size(), 2);
  EXPECT_EQ(response.list_services_response().service(0).name(), "a.A");
  EXPECT_EQ(response.list_services_response().service(1).name(), "b.B");
}

TEST_F(ReflectionTalkTest, SendsAFileWithAllThatItNeeds) {
  const Response response = answer(
      [](Request& request) { request.set_file_containing_symbol("nearcall.test.schema.Store"); });

  EXPECT_THAT(names(response), ElementsAre("services/schema.proto", "services/parts.proto",
                                           "google/protobuf/timestamp.proto"));
}

TEST_F(ReflectionTalkTest, SendsWhatAFileNeedsOnceAndTheFileAsOftenAsItIsAskedFor) {
  ask_file("services/parts.proto");

  EXPECT_THAT(names(ask_file("services/schema.proto")), ElementsAre("services/schema.proto"));
  EXPECT_THAT(names(ask_file("services/parts.proto")), ElementsAre("services/parts.proto"));
}

TEST_F(ReflectionTalkTest, LeavesOutWhatWouldMakeAResponseTooLarge) {
  DescriptorPool pool;
  ASSERT_NE(pool.BuildFile(large_file("small.proto", {}, 100)), nullptr);
  ASSERT_NE(pool.BuildFile(large_file("large.proto", {}, 2 * ReflectionTalk::max_files)), nullptr);
  ASSERT_NE(pool.BuildFile(large_file("other.proto", {}, 100)), nullptr);
  ASSERT_NE(
      pool.BuildFile(large_file("asked.proto", {"small.proto", "large.proto", "other.proto"}, 100)),
      nullptr);
  const LinkedFiles files(pool);
  ReflectionTalk talk(files);
  const auto ask = [&talk](const char* name) {
    Request request;
    request.set_file_by_filename(name);
    return names(talk.answer(std::move(request), {}));
  };

  EXPECT_THAT(ask("asked.proto"), ElementsAre("asked.proto", "small.proto"));
  EXPECT_THAT(ask("large.proto"), ElementsAre("large.proto")) << "by name it is sent";
}

TEST_F(ReflectionTalkTest, FindsAnExtensionAndAllNumbersOfThem) {
  const Response file = answer([](Request& request) {
    auto& extension = *request.mutable_file_containing_extension();
    extension.set_containing_type("nearcall.test.schema.Key");
    extension.set_extension_number(101);
  });
  const Response numbers = answer([](Request& request) {
    request.set_all_extension_numbers_of_type("nearcall.test.schema.Key");
  });

  EXPECT_EQ(names(file).front(), "services/schema.proto");
  EXPECT_EQ(numbers.all_extension_numbers_response().base_type_name(), "nearcall.test.schema.Key");
  EXPECT_THAT(numbers.all_extension_numbers_response().extension_number(), ElementsAre(101, 150));
}

TEST_F(ReflectionTalkTest, SaysNotFoundOfWhatIsNotLinked) {
  EXPECT_EQ(error(ask_file("none.proto")), "5 no such file is linked");
  EXPECT_EQ(
      error(answer([](Request& request) { request.set_file_containing_symbol("none.None"); })),
      "5 no such symbol is linked");
  EXPECT_EQ(error(answer([](Request& request) {
              request.mutable_file_containing_extension()->set_containing_type("none.None");
            })),
            "5 no such extension is linked");
  EXPECT_EQ(error(answer(
                [](Request& request) { request.set_all_extension_numbers_of_type("none.None"); })),
            "5 no such type is linked");
}

TEST_F(ReflectionTalkTest, SaysUnimplementedOfWhatALaterVersionAsks) {
  EXPECT_EQ(error(answer([](Request&) {})), "12 no such kind of request is known here");
}

TEST_F(ReflectionTalkTest, RefusesARequestThatIsLargerThanAnyName) {
  Request request;
  request.set_file_containing_symbol(std::string(ReflectionTalk::max_request - 3, 'x'));
  EXPECT_TRUE(ReflectionTalk::check(request).ok());

  request.set_host("h");
  EXPECT_EQ(ReflectionTalk::check(request).to_string(),
            "RESOURCE_EXHAUSTED: reflection: a request of 4099 bytes, more than 4096");
}

}  // namespace
}  // namespace nearcall::inline v0::detail

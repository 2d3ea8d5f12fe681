// SPDX-License-Identifier: Apache-2.0
// LinkedFiles: descriptors by name, symbol and extension; those of our contracts as peers know
// them.
#include "services/linked_files.hpp"

#include "services/schema.pb.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <nearcall_contract/grpc/health/v1/health.pb.h>
#include <nearcall_contract/grpc/reflection/v1/reflection.pb.h>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string schema_file = "services/schema.proto";

class LinkedFilesTest : public testing::Test {
 protected:
  LinkedFilesTest() {  // what nothing refers to is not linked
    google::protobuf::LinkMessageReflection<test::schema::Key>();
    google::protobuf::LinkMessageReflection<
        nearcall_contract::grpc::health::v1::HealthCheckRequest>();
    google::protobuf::LinkMessageReflection<
        nearcall_contract::grpc::reflection::v1::ErrorResponse>();
  }
  static std::string name_of(const std::optional<LinkedFile>& file) {
    return file ? parsed(*file).name() : "none";
  }
  static FileDescriptorProto parsed(const LinkedFile& file) {
    FileDescriptorProto proto;
    EXPECT_TRUE(proto.ParseFromString(file.serialize()));
    return proto;
  }

  LinkedFiles files_{*DescriptorPool::generated_pool()};
};

TEST_F(LinkedFilesTest, AreFoundByTheirNames) {
  EXPECT_EQ(name_of(files_.by_name(schema_file)), schema_file);
  EXPECT_EQ(name_of(files_.by_name("services/none.proto")), "none");
  EXPECT_EQ(name_of(files_.by_name("")), "none");
}

TEST_F(LinkedFilesTest, AreFoundByAnySymbolThatIsInThem) {
  for (const char* symbol :
       {"nearcall.test.schema.Store", "nearcall.test.schema.Store.Get", "nearcall.test.schema.Key",
        "nearcall.test.schema.Key.name", "nearcall.test.schema.color"}) {
    EXPECT_EQ(name_of(files_.containing_symbol(symbol)), schema_file) << symbol;
  }
  for (const char* symbol : {"nearcall.test.schema.Absent", "", ".nearcall.test.schema.Key"})
    EXPECT_EQ(name_of(files_.containing_symbol(symbol)), "none") << symbol;
}

TEST_F(LinkedFilesTest, AreFoundByAnExtension) {
  EXPECT_EQ(name_of(files_.containing_extension("nearcall.test.schema.Key", 150)), schema_file);
  EXPECT_EQ(name_of(files_.containing_extension("nearcall.test.schema.Key", 151)), "none");
  EXPECT_EQ(name_of(files_.containing_extension("nearcall.test.schema.Absent", 150)), "none");
}

TEST_F(LinkedFilesTest, TellAllExtensionsOfAType) {
  const auto of_key = files_.extensions_of("nearcall.test.schema.Key");
  ASSERT_TRUE(of_key);
  EXPECT_EQ(of_key->type, "nearcall.test.schema.Key");
  EXPECT_THAT(of_key->numbers, ElementsAre(101, 150));

  const auto of_health = files_.extensions_of("grpc.health.v1.HealthCheckRequest");
  ASSERT_TRUE(of_health);
  EXPECT_THAT(of_health->numbers, ElementsAre());
  EXPECT_FALSE(files_.extensions_of("nearcall.test.schema.Store")) << "a service is no type";
}

TEST_F(LinkedFilesTest, SerializeAsTheyAreLinked) {
  FileDescriptorProto expected;
  test::schema::Key::descriptor()->file()->CopyTo(&expected);

  EXPECT_EQ(files_.by_name(schema_file)->serialize(), expected.SerializeAsString());
}

TEST_F(LinkedFilesTest, ShowContractsOfOursByTheNamesThatPeersKnow) {
  for (const char* symbol : {"grpc.health.v1.Health", "grpc.health.v1.Health.Watch",
                             "grpc.health.v1.HealthListResponse"})
    EXPECT_EQ(name_of(files_.containing_symbol(symbol)), "grpc/health/v1/health.proto") << symbol;
  for (const std::string version : {"v1", "v1alpha"}) {
    const std::string file = "grpc/reflection/" + version + "/reflection.proto";
    EXPECT_EQ(name_of(files_.by_name(file)), file);
    EXPECT_EQ(name_of(files_.containing_symbol("grpc.reflection." + version + ".ServerReflection")),
              file);
  }
  EXPECT_EQ(name_of(files_.containing_symbol("grpc.reflection.v1beta.ServerReflection")), "none");
  EXPECT_EQ(name_of(files_.containing_symbol("grpcio.health.v1.Health")), "none");
}

TEST_F(LinkedFilesTest, ShowContractsThatAreWholeAndHaveNoNameOfOurs) {
  for (const char* name : {"grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
                           "grpc/reflection/v1alpha/reflection.proto"}) {
    const FileDescriptorProto proto = parsed(*files_.by_name(name));
    DescriptorPool pool;
    const FileDescriptor* built = pool.BuildFile(proto);
    ASSERT_NE(built, nullptr) << name;
    EXPECT_THAT(proto.DebugString(), Not(HasSubstr("nearcall")));
  }
}

TEST_F(LinkedFilesTest, ShowTheContractThatAllImplementationsHave) {
  const FileDescriptorProto proto = parsed(*files_.by_name("grpc/health/v1/health.proto"));
  DescriptorPool pool;
  const FileDescriptor* file = pool.BuildFile(proto);
  ASSERT_NE(file, nullptr);

  const auto* watch = file->FindServiceByName("Health")->FindMethodByName("Watch");
  EXPECT_EQ(watch->full_name(), "grpc.health.v1.Health.Watch");
  EXPECT_EQ(watch->input_type()->full_name(), "grpc.health.v1.HealthCheckRequest");
  EXPECT_TRUE(watch->server_streaming());
  const auto* statuses =
      file->FindMessageTypeByName("HealthListResponse")->FindFieldByName("statuses");
  EXPECT_TRUE(statuses->is_map());
  EXPECT_EQ(statuses->message_type()->map_value()->message_type()->full_name(),
            "grpc.health.v1.HealthCheckResponse");
}

TEST_F(LinkedFilesTest, PreferAnotherCopyOfAContractThatIsInThePool) {
  FileDescriptorProto own;
  own.set_name("elsewhere/health.proto");
  own.set_package("grpc.health.v1");
  own.add_service()->set_name("Health");
  DescriptorPool pool(DescriptorPool::generated_pool());
  ASSERT_NE(pool.BuildFile(own), nullptr);

  EXPECT_EQ(name_of(LinkedFiles(pool).containing_symbol("grpc.health.v1.Health")), own.name());
}

}  // namespace
}  // namespace nearcall::inline v0::detail

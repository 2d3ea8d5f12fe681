// SPDX-License-Identifier: Apache-2.0
// Tests of the model that a .proto becomes.
#include "codegen/model.hpp"

#include "codegen/proto_text.hpp"

#include <gtest/gtest.h>

namespace nearcall::codegen {
namespace {

TEST(Model, HasAllThatTheFileSays) {
  ProtoText protos;
  const auto& file = protos.add("dir/a.proto", R"(
    syntax = "proto3"; package a.b;
    message In { message Nested {} }
    message Out {}
    // Serves.
    service S {
      // Works.
      rpc F(In.Nested) returns (Out);
    }
  )");

  const FileModel model = model_of(file);

  EXPECT_EQ(model.proto, "dir/a.proto");
  EXPECT_EQ(model.stem, "dir/a");
  EXPECT_EQ(model.cpp_namespace, "a::b");
  EXPECT_FALSE(model.speaks_of_deprecated);
  ASSERT_EQ(model.services.size(), 1U);
  const ServiceModel& service = model.services[0];
  EXPECT_EQ(service.name, "S");
  EXPECT_EQ(service.full_name, "a.b.S");
  EXPECT_EQ(service.scope, "::a::b::");
  EXPECT_EQ(service.methods_constant, "S_methods");
  EXPECT_EQ(service.comment, "/// Serves.\n");
  EXPECT_FALSE(service.is_deprecated);
  ASSERT_EQ(service.methods.size(), 1U);
  const MethodModel& method = service.methods[0];
  EXPECT_EQ(method.name, "F");
  EXPECT_EQ(method.path, "/a.b.S/F");
  EXPECT_EQ(method.kind, Kind::unary);
  EXPECT_EQ(method.request, "::a::b::In_Nested");
  EXPECT_EQ(method.reply, "::a::b::Out");
  EXPECT_EQ(method.comment, "/// Works.\n");
  EXPECT_FALSE(method.is_deprecated);
}

TEST(Model, TellsTheFourKindsApart) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; message M {}
    service S {
      rpc A(M) returns (M);
      rpc B(M) returns (stream M);
      rpc C(stream M) returns (M);
      rpc D(stream M) returns (stream M);
    }
  )");

  const auto methods = model_of(file).services.at(0).methods;

  EXPECT_EQ(to_string(methods.at(0).kind), "unary");
  EXPECT_EQ(to_string(methods.at(1).kind), "server_streaming");
  EXPECT_EQ(to_string(methods.at(2).kind), "client_streaming");
  EXPECT_EQ(to_string(methods.at(3).kind), "bidi_streaming");
}

TEST(Model, KeepsTheWireNameOfWhatIsRenamed) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; message M {}
    service class { rpc delete(M) returns (M); }
  )");

  const FileModel model = model_of(file);

  const ServiceModel& service = model.services.at(0);
  EXPECT_EQ(service.name, "class_");
  EXPECT_EQ(service.proto_name, "class");
  EXPECT_EQ(service.full_name, "class");
  EXPECT_EQ(service.methods.at(0).name, "delete_");
  EXPECT_EQ(service.methods.at(0).proto_name, "delete");
  EXPECT_EQ(service.methods.at(0).path, "/class/delete");
}

TEST(Model, KeepsServicesAndMethodsInTheirOrder) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; message M {}
    service Second { rpc Long(M) returns (M); rpc A(M) returns (M); }
    service First {}
  )");

  const FileModel model = model_of(file);

  EXPECT_EQ(model.services.at(0).name, "Second");
  EXPECT_EQ(model.services.at(0).methods.at(0).name, "Long");
  EXPECT_EQ(model.services.at(1).name, "First");
}

TEST(Model, ConstantOfTheMethodsIsNeverTheNameOfAService) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; package a; message M {}
    service S { rpc S_methods_(M) returns (M); }
    service S_methods {}
  )");

  const FileModel model = model_of(file);

  EXPECT_EQ(model.services.at(0).methods_constant, "S_methods_");
  EXPECT_EQ(model.services.at(0).methods.at(0).name, "S_methods_");
}

struct DeprecatedCase {
  const char* name;
  const char* text;
};

void PrintTo(const DeprecatedCase& tried, std::ostream* to) {
  *to << tried.name;
}

class SpeaksOfDeprecated : public testing::TestWithParam<DeprecatedCase> {};

TEST_P(SpeaksOfDeprecated, WhenAnythingThatItNamesIs) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", std::string(R"(
    syntax = "proto3";
    message Old { option deprecated = true; message Nested {} }
    message Fresh {}
  )") + GetParam().text);

  EXPECT_TRUE(model_of(file).speaks_of_deprecated);
}

INSTANTIATE_TEST_SUITE_P(
    Model,
    SpeaksOfDeprecated,
    testing::Values(DeprecatedCase{"Service", "service S { option deprecated = true; }"},
                    DeprecatedCase{"Method", R"(
          service S { rpc F(Fresh) returns (Fresh) { option deprecated = true; } })"},
                    DeprecatedCase{"Request", "service S { rpc F(Old) returns (Fresh); }"},
                    DeprecatedCase{"Reply", "service S { rpc F(Fresh) returns (stream Old); }"},
                    DeprecatedCase{"Nested", "service S { rpc F(Old.Nested) returns (Fresh); }"}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// Tests of the names that things of a .proto get in C++.
#include "codegen/names.hpp"

#include "codegen/proto_text.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace nearcall::codegen {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

using Names = std::vector<std::string>;

Names methods(const Names& names) {
  return method_names(names);
}

TEST(FileStem, LosesTheSuffixOfProtoFiles) {
  ProtoText protos;

  EXPECT_EQ(file_stem(protos.add("a/b.proto", "syntax = 'proto3';")), "a/b");
  EXPECT_EQ(file_stem(protos.add("c.protodevel", "syntax = 'proto3';")), "c");
  EXPECT_EQ(file_stem(protos.add("d", "syntax = 'proto3';")), "d");
}

TEST(CppNamespace, HasAPartForEachPartOfThePackage) {
  ProtoText protos;

  EXPECT_EQ(cpp_namespace(protos.add("a.proto", "syntax = 'proto3'; package a.b_c.d;")),
            "a::b_c::d");
  EXPECT_EQ(cpp_namespace(protos.add("b.proto", "syntax = 'proto3';")), "");
}

TEST(CppNamespace, IsTheOneThatProtobufPutsMessagesInto) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", "syntax = 'proto3'; package class.int; message M {}");

  EXPECT_EQ(cpp_message(*file.message_type(0)), "::" + cpp_namespace(file) + "::M");
}

TEST(CppMessage, NamesNestedMessagesAndKeywordsAsProtobufDoes) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; package a; message Outer { message Inner {} } message class {})");
  const auto& bare = protos.add("b.proto", "syntax = 'proto3'; message M {}");

  EXPECT_EQ(cpp_message(*file.message_type(0)), "::a::Outer");
  EXPECT_EQ(cpp_message(*file.message_type(0)->nested_type(0)), "::a::Outer_Inner");
  EXPECT_EQ(cpp_message(*file.message_type(1)), "::a::class_");
  EXPECT_EQ(cpp_message(*bare.message_type(0)), "::M");
}

TEST(Keywords, AreThoseOfCpp20) {
  for (const char* keyword : {"alignas", "xor_eq", "co_await", "requires", "char8_t", "NULL"}) {
    EXPECT_TRUE(is_keyword(keyword)) << keyword;
  }
  for (const char* name : {"final", "override", "import", "SayHello", "", "Class"}) {
    EXPECT_FALSE(is_keyword(name)) << name;
  }
}

TEST(NamesByProtobuf, AreThoseOfThePackageWithItsImports) {
  ProtoText protos;
  protos.add("other.proto", "syntax = 'proto3'; package b; message Other {}");
  protos.add("same.proto", R"(
    syntax = "proto3"; package a; import "other.proto"; message Same { enum Kind { NO = 0; } })");
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; package a; import "same.proto";
    message Outer { message Inner {} }
    enum Color { RED = 0; })");

  const auto names = names_by_protobuf(file);

  EXPECT_THAT(names, IsSupersetOf({"Outer", "Outer_Inner", "Color", "RED", "Same", "Same_Kind",
                                   "Same_Kind_NO"}));
  EXPECT_THAT(names, Not(Contains("Other")));
  EXPECT_THAT(names, Not(Contains("nearcall")));
}

TEST(NamesByProtobuf, HaveOurNamespaceWhereThereIsNoPackage) {
  ProtoText protos;

  EXPECT_THAT(names_by_protobuf(protos.add("a.proto", "syntax = 'proto3';")), Contains("nearcall"));
}

TEST(NamesByProtobuf, HaveTheServicesOfItsOwnOption) {
  ProtoText protos;
  const auto& file = protos.add("a.proto", R"(
    syntax = "proto3"; package a; option cc_generic_services = true; service S {})");

  EXPECT_THAT(names_by_protobuf(file), IsSupersetOf({"S", "S_Stub"}));
}

TEST(ServiceNames, StayAsTheyAre) {
  EXPECT_THAT(service_names({"Greeter", "Task"}, {}), ElementsAre("Greeter", "Task"));
}

TEST(ServiceNames, GetAnUnderscoreWhereCppOrWeNeedTheName) {
  EXPECT_THAT(
      service_names({"class", "Service", "Client", "ClientInterface", "full_name", "Outer_Inner"},
                    {"Outer_Inner"}),
      ElementsAre("class_", "Service_", "Client_", "ClientInterface_", "full_name_",
                  "Outer_Inner_"));
}

TEST(ServiceNames, NeverTakeTheNameOfAnother) {
  EXPECT_THAT(service_names({"class", "class_"}, {}), ElementsAre("class__", "class_"));
}

TEST(MethodNames, StayAsTheyAre) {
  const Names names = {"SayHello",  "final",        "request",  "S",
                       "Status",    "Task",         "Result",   "ServerReader",
                       "full_name", "service_name", "S_methods"};

  EXPECT_EQ(methods(names), names);
}

TEST(MethodNames, GetAnUnderscoreWhereCppOrTheirClassNeedsTheName) {
  EXPECT_THAT(methods({"delete", "Service", "Client", "ClientInterface", "stub_"}),
              ElementsAre("delete_", "Service_", "Client_", "ClientInterface_", "stub_"));
}

TEST(MethodNames, LeaveTheAwaitedFormToTheShorterMethod) {
  EXPECT_THAT(methods({"Get", "GetAsync"}), ElementsAre("Get", "GetAsync_"));
  EXPECT_THAT(methods({"GetAsync"}), ElementsAre("GetAsync"));
  EXPECT_THAT(methods({"Get", "GetAsync", "GetAsyncAsync"}),
              ElementsAre("Get", "GetAsync_", "GetAsyncAsync"));
}

TEST(MethodNames, NeverTakeTheNameOfAnother) {
  EXPECT_THAT(methods({"delete", "delete_"}), ElementsAre("delete__", "delete_"));
  EXPECT_THAT(methods({"Get", "GetAsync", "GetAsync_"}),
              ElementsAre("Get", "GetAsync__", "GetAsync_"));
}

TEST(MethodNames, DoNotDependOnTheOrder) {
  Names order = {"Get", "GetAsync", "GetAsyncAsync", "delete", "delete_", "deleteAsync"};
  std::sort(order.begin(), order.end());
  const Names expected = methods(order);
  do {
    const Names actual = methods(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
      Names sorted = order;
      std::sort(sorted.begin(), sorted.end());
      const auto at = std::find(sorted.begin(), sorted.end(), order[i]) - sorted.begin();
      ASSERT_EQ(actual[i], expected[static_cast<std::size_t>(at)]) << order[i];
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MethodNames, AreAllDifferentWithTheirAwaitedForms) {
  const Names names = methods({"Get", "GetAsync", "GetAsync_", "GetAsyncAsync", "Get_", "delete",
                               "delete_", "deleteAsync", "delete_Async", "Client", "ClientAsync"});
  std::set<std::string> all;
  for (const std::string& name : names) {
    EXPECT_TRUE(all.insert(name).second) << name;
    EXPECT_TRUE(all.insert(async_name(name)).second) << async_name(name);
  }
}

TEST(MethodsConstant, AvoidsWhatIsTaken) {
  EXPECT_EQ(methods_constant("S", {}), "S_methods");
  EXPECT_EQ(methods_constant("S", {"S_methods"}), "S_methods_");
}

}  // namespace
}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// Tests of the server side's template; whole files are compared in tests/golden.
#include "codegen/templates.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::codegen {
namespace {

using testing::HasSubstr;
using testing::Not;

ServiceModel served_with(Kind kind) {
  MethodModel method{"F", "F", "/S/F", kind, "::In", "::Out", "", /*is_deprecated=*/false};
  return ServiceModel{"S", "S", "S", "::", "S_methods", "", /*is_deprecated=*/false, {method}};
}

TEST(ServerTemplate, EachKindHasItsParameters) {
  EXPECT_THAT(server_declaration(served_with(Kind::unary)),
              HasSubstr("virtual ::nearcall::Task<::nearcall::Result<::Out>> F(\n"
                        "      ::nearcall::ServerContext& call, ::In request);"));
  EXPECT_THAT(server_declaration(served_with(Kind::server_streaming)),
              HasSubstr("virtual ::nearcall::Task<::nearcall::Status> F(\n"
                        "      ::nearcall::ServerContext& call, ::In request, "
                        "::nearcall::ServerWriter<::Out>& replies);"));
  EXPECT_THAT(server_declaration(served_with(Kind::client_streaming)),
              HasSubstr("      ::nearcall::ServerContext& call, "
                        "::nearcall::ServerReader<::In>& requests);"));
  EXPECT_THAT(server_declaration(served_with(Kind::bidi_streaming)),
              HasSubstr("      ::nearcall::ServerReader<::In>& requests,\n"
                        "      ::nearcall::ServerWriter<::Out>& replies);"));
}

TEST(ServerTemplate, FunctionsThatMayBlockTakeTheSameBesideTheCall) {
  EXPECT_THAT(server_declaration(served_with(Kind::unary)),
              HasSubstr("class BlockingService : public ::nearcall::BlockingService {"));
  EXPECT_THAT(server_declaration(served_with(Kind::unary)),
              HasSubstr("virtual ::nearcall::Result<::Out> F("
                        "::nearcall::ServerContext& call, const ::In& request);"));
  EXPECT_THAT(server_declaration(served_with(Kind::server_streaming)),
              HasSubstr("virtual ::nearcall::Status F(\n"
                        "      ::nearcall::ServerContext& call,\n"
                        "      const ::In& request,\n"
                        "      ::nearcall::BlockingWriter<::Out>& replies);"));
  EXPECT_THAT(server_declaration(served_with(Kind::client_streaming)),
              HasSubstr("virtual ::nearcall::Result<::Out> F(\n"
                        "      ::nearcall::ServerContext& call, "
                        "::nearcall::BlockingReader<::In>& requests);"));
  EXPECT_THAT(server_declaration(served_with(Kind::bidi_streaming)),
              HasSubstr("      ::nearcall::BlockingReader<::In>& requests,\n"
                        "      ::nearcall::BlockingWriter<::Out>& replies);"));
  EXPECT_THAT(server_definition(served_with(Kind::bidi_streaming)),
              HasSubstr("                  ::nearcall::MethodKind::bidi_streaming,\n"));
  EXPECT_THAT(server_definition(served_with(Kind::unary)),
              HasSubstr("  return ::nearcall::detail::unimplemented(::S_methods[0]);"));
}

TEST(ServerTemplate, OnArenasOnlyCoroutinesOfUnaryCallsDiffer) {
  for (const Kind kind : {Kind::unary, Kind::server_streaming, Kind::client_streaming}) {
    ServiceModel usual = served_with(kind);
    ServiceModel on_arenas = usual;
    on_arenas.has_arenas = true;
    EXPECT_EQ(server_declaration(usual) == server_declaration(on_arenas), kind != Kind::unary);
    EXPECT_EQ(server_definition(usual) == server_definition(on_arenas), kind != Kind::unary);
  }
  ServiceModel service = served_with(Kind::unary);
  service.has_arenas = true;
  EXPECT_THAT(
      server_declaration(service),
      HasSubstr("virtual ::nearcall::Task<::nearcall::Status> F(\n"
                "      ::nearcall::ServerContext& call, const ::In& request, ::Out& reply);"));
  EXPECT_THAT(server_declaration(service),
              HasSubstr("virtual ::nearcall::Result<::Out> F("
                        "::nearcall::ServerContext& call, const ::In& request);"));
  EXPECT_THAT(server_definition(service),
              HasSubstr("::nearcall::detail::arena_unary_handler<Service, ::In, ::Out, "));
}

TEST(ServerTemplate, EachKindIsRunByItsHandler) {
  EXPECT_THAT(server_definition(served_with(Kind::bidi_streaming)),
              HasSubstr("::nearcall::detail::bidi_streaming_handler<Service, ::In, ::Out, "
                        "&Service::F>(\n"));
  EXPECT_THAT(server_definition(served_with(Kind::unary)),
              HasSubstr("::nearcall::detail::unary_handler<Service, ::In, ::Out, "
                        "&Service::F>(::S_methods[0]),\n"));
}

TEST(ServerTemplate, WhatIsNotOverriddenAnswersUnimplemented) {
  EXPECT_THAT(server_definition(served_with(Kind::unary)),
              HasSubstr("co_return ::nearcall::detail::unimplemented(::S_methods[0]);"));
}

TEST(ServerTemplate, DeprecatedMethodIsServedWithoutAWarning) {
  ServiceModel service = served_with(Kind::unary);
  service.methods[0].is_deprecated = true;

  EXPECT_THAT(server_declaration(service), Not(HasSubstr("deprecated")));
}

TEST(ServerTemplate, RenamedMethodSaysWhatItIsInTheProto) {
  ServiceModel service = served_with(Kind::unary);
  service.methods[0].name = "F_";

  EXPECT_THAT(server_declaration(service), HasSubstr("  /// In the .proto: F\n  virtual "));
}

TEST(ServerTemplate, ServiceWithoutMethodsNamesNoConstant) {
  ServiceModel service = served_with(Kind::unary);
  service.methods.clear();

  EXPECT_EQ(server_definition(service),
            "S::Service::Service() : ::nearcall::Service(::S::full_name, {}) {}\n\n"
            "S::BlockingService::BlockingService() : "
            "::nearcall::BlockingService(::S::full_name, {}) {}\n");
}

}  // namespace
}  // namespace nearcall::codegen

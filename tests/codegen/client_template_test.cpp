// SPDX-License-Identifier: Apache-2.0
// Tests of the client side's template; whole files are compared in tests/golden.
#include "codegen/templates.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nearcall::codegen {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ServiceModel service_with(Kind kind) {
  MethodModel method{"F", "F", "/S/F", kind, "::In", "::Out", "", /*is_deprecated=*/false};
  return ServiceModel{"S", "S", "S", "::", "S_methods", "", /*is_deprecated=*/false, {method}};
}

TEST(ClientTemplate, UnaryReturnsAResultOrACall) {
  EXPECT_THAT(client_declaration(service_with(Kind::unary)),
              AllOf(HasSubstr("  ::nearcall::Result<::Out> F("),
                    HasSubstr("  ::nearcall::AsyncUnaryCall<::Out> FAsync("),
                    HasSubstr("const ::In& request, const ::nearcall::CallOptions& options = {}")));
}

TEST(ClientTemplate, ServerStreamingTakesTheRequest) {
  EXPECT_THAT(client_declaration(service_with(Kind::server_streaming)),
              AllOf(HasSubstr("  ::nearcall::ServerStreamingCall<::Out> F("),
                    HasSubstr("  ::nearcall::AsyncServerStreamingCall<::Out> FAsync("),
                    HasSubstr("const ::In& request")));
}

TEST(ClientTemplate, ClientStreamingTakesOnlyOptions) {
  EXPECT_THAT(client_declaration(service_with(Kind::client_streaming)),
              AllOf(HasSubstr("  ::nearcall::ClientStreamingCall<::In, ::Out> F(\n"
                              "      const ::nearcall::CallOptions&"),
                    HasSubstr("  ::nearcall::AsyncClientStreamingCall<::In, ::Out> FAsync(\n"
                              "      const ::nearcall::CallOptions&")));
}

TEST(ClientTemplate, BidirectionalTakesOnlyOptions) {
  EXPECT_THAT(client_declaration(service_with(Kind::bidi_streaming)),
              AllOf(HasSubstr("  ::nearcall::BidiStreamingCall<::In, ::Out> F("),
                    HasSubstr("  ::nearcall::AsyncBidiStreamingCall<::In, ::Out> FAsync(")));
}

TEST(ClientTemplate, AClientOverridesWhatItsInterfaceHas) {
  const std::string declaration = client_declaration(service_with(Kind::bidi_streaming));

  EXPECT_THAT(declaration, HasSubstr("class Client final : public ClientInterface {"));
  for (const std::string form :
       {"BidiStreamingCall<::In, ::Out> F(", "AsyncBidiStreamingCall<::In, ::Out> FAsync("}) {
    const std::string rest = "\n      const ::nearcall::CallOptions& options = {}) const";
    EXPECT_THAT(declaration, HasSubstr("  virtual ::nearcall::" + form + rest + ";\n"));
    EXPECT_THAT(declaration, HasSubstr("  ::nearcall::" + form + rest + " override;\n"));
  }
}

TEST(ClientTemplate, WhatAMockDoesNotOverrideNamesItself) {
  EXPECT_THAT(client_definition(service_with(Kind::unary)),
              AllOf(HasSubstr("::nearcall::Result<::Out> S::ClientInterface::F("),
                    HasSubstr("fail_not_overridden(\"S::ClientInterface::F\");"),
                    HasSubstr("fail_not_overridden(\"S::ClientInterface::FAsync\");")));
}

TEST(ClientTemplate, EachMethodAsksTheStubWithItsPosition) {
  ServiceModel service = service_with(Kind::unary);
  service.methods.push_back(service_with(Kind::bidi_streaming).methods[0]);

  EXPECT_THAT(client_definition(service),
              AllOf(HasSubstr("return stub_.unary<::Out>(0, request, options, info);"),
                    HasSubstr("return stub_.unary_async<::Out>(0, request, options);"),
                    HasSubstr("return stub_.bidi_streaming<::In, ::Out>(1, options);"),
                    HasSubstr("return stub_.bidi_streaming_async<::In, ::Out>(1, options);")));
}

TEST(ClientTemplate, AMethodKeepsItsNameAndTheStubGivesWay) {
  ServiceModel service = service_with(Kind::unary);
  service.methods[0].name = "stub_";

  EXPECT_THAT(client_declaration(service), HasSubstr("  ::nearcall::ClientStub the_stub_;"));
  EXPECT_THAT(client_definition(service), HasSubstr("return the_stub_.unary<"));
}

TEST(ClientTemplate, BothFormsOfADeprecatedMethodAreMarked) {
  ServiceModel service = service_with(Kind::unary);
  service.methods[0].is_deprecated = true;

  EXPECT_THAT(client_declaration(service),
              AllOf(HasSubstr("  [[deprecated]] ::nearcall::Result<::Out> F("),
                    HasSubstr("  [[deprecated]] ::nearcall::AsyncUnaryCall<::Out> FAsync(")));
}

TEST(ClientTemplate, ServiceWithoutMethodsNamesNoConstant) {
  ServiceModel service = service_with(Kind::unary);
  service.methods.clear();

  EXPECT_EQ(client_definition(service),
            "S::Client::Client(const ::nearcall::Channel& channel)\n    : stub_(channel, {}) {}\n");
}

}  // namespace
}  // namespace nearcall::codegen

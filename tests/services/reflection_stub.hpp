// SPDX-License-Identifier: Apache-2.0
// ReflectionStub: a client of both versions of grpc.reflection.
#pragma once

#include <nearcall/client_stub.hpp>

#include <nearcall_contract/grpc/reflection/v1/reflection.pb.h>

namespace nearcall::test {

namespace reflection_wire = nearcall_contract::grpc::reflection::v1;

/// Thread safety: any thread.
class ReflectionStub {
 public:
  using Request = reflection_wire::ServerReflectionRequest;
  using Response = reflection_wire::ServerReflectionResponse;
  using Talking = BidiStreamingCall<Request, Response>;

  static constexpr Method methods[] = {
      {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", MethodKind::bidi_streaming},
      {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
       MethodKind::bidi_streaming}};

  explicit ReflectionStub(const Channel& channel) : stub_(channel, methods) {}

  /// In one of the `methods`.
  Talking talk(std::size_t method) const {
    return stub_.bidi_streaming<Request, Response>(method,
                                                   CallOptions().timeout(std::chrono::seconds(20)));
  }

 private:
  ClientStub stub_;
};

}  // namespace nearcall::test

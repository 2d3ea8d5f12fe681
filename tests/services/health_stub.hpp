// SPDX-License-Identifier: Apache-2.0
// HealthStub: a client of grpc.health.v1 that has all of it.
#pragma once

#include <nearcall/client_stub.hpp>

#include <nearcall_contract/grpc/health/v1/health.pb.h>

#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace health_wire = nearcall_contract::grpc::health::v1;

/// Thread safety: any thread.
class HealthStub {
 public:
  using Answer = health_wire::HealthCheckResponse;
  using Watching = ServerStreamingCall<Answer>;

  explicit HealthStub(const Channel& channel) : stub_(channel, methods) {}

  Result<Answer> check(std::string_view service) const {
    return stub_.unary<Answer>(0, request_for(service), soon());
  }
  Result<health_wire::HealthListResponse> list() const {
    const health_wire::HealthListRequest request;
    return stub_.unary<health_wire::HealthListResponse>(1, request, soon());
  }
  Watching watch(std::string_view service) const {
    return stub_.server_streaming<Answer>(2, request_for(service), soon());
  }

  /// "SERVING", or how the call ended.
  static std::string next(Watching& watching) {
    const std::optional<Answer> answer = watching.read();
    return answer ? Answer::ServingStatus_Name(answer->status()) : watching.finish().to_string();
  }

 private:
  static constexpr Method methods[] = {
      {"/grpc.health.v1.Health/Check", MethodKind::unary},
      {"/grpc.health.v1.Health/List", MethodKind::unary},
      {"/grpc.health.v1.Health/Watch", MethodKind::server_streaming}};

  static CallOptions soon() { return CallOptions().timeout(std::chrono::seconds(20)); }
  static health_wire::HealthCheckRequest request_for(std::string_view service) {
    health_wire::HealthCheckRequest request;
    request.set_service(std::string(service));
    return request;
  }

  ClientStub stub_;
};

}  // namespace nearcall::test

// SPDX-License-Identifier: Apache-2.0
// A client's question to grpc.health.v1.
#include <nearcall/client_stub.hpp>
#include <nearcall/health.hpp>

#include <nearcall_contract/grpc/health/v1/health.pb.h>

#include <utility>

namespace nearcall::inline v0 {
namespace {

namespace wire = nearcall_contract::grpc::health::v1;

constexpr Method methods[] = {{"/grpc.health.v1.Health/Check", MethodKind::unary}};

wire::HealthCheckRequest request_for(std::string_view service) {
  wire::HealthCheckRequest request;
  request.set_service(service.data(), service.size());
  return request;
}

Result<ServingStatus> status_in(const Result<wire::HealthCheckResponse>& response) {
  if (!response) return response.error();
  switch (response->status()) {
    case wire::HealthCheckResponse::SERVING:
      return ServingStatus::serving;
    case wire::HealthCheckResponse::NOT_SERVING:
      return ServingStatus::not_serving;
    default:
      return ServingStatus::unknown;
  }
}

}  // namespace

Result<ServingStatus> check_health(const Channel& channel,
                                   std::string_view service,
                                   const CallOptions& options) {
  const ClientStub stub(channel, methods);
  return status_in(stub.unary<wire::HealthCheckResponse>(0, request_for(service), options));
}

Task<Result<ServingStatus>> check_health_async(Channel channel,
                                               std::string service,
                                               CallOptions options) {
  const ClientStub stub(channel, methods);
  const wire::HealthCheckRequest request = request_for(service);
  auto call = stub.unary_async<wire::HealthCheckResponse>(0, request, options);
  const Result<wire::HealthCheckResponse> response = co_await call;
  co_return status_in(response);
}

}  // namespace nearcall::inline v0

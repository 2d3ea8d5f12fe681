// SPDX-License-Identifier: Apache-2.0
// Health: tells others whether a server and its services can serve. Link nearcall::health.
#pragma once

#include <nearcall/call_options.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/service.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// The messages of grpc.health.v1, which are private.
namespace nearcall_contract::grpc::health::v1 {
class HealthCheckRequest;
class HealthCheckResponse;
class HealthListRequest;
class HealthListResponse;
}  // namespace nearcall_contract::grpc::health::v1

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {
class HealthBook;
}

/// Whether a service can serve. `unknown`: nobody has said so yet; at a client also what a later
/// version of the contract may have.
enum class ServingStatus : std::uint8_t { unknown = 0, serving = 1, not_serving = 2 };

/// The name of a status as gRPC spells it: "NOT_SERVING".
std::string_view to_string(ServingStatus status);

/// The service grpc.health.v1.Health, as gRPC's health-checking.md has it:
///
///     Health health;
///     server.add_service(health);
///     health.set("greet.Greeter", ServingStatus::not_serving);   // on any thread
///
/// The empty name is the server as a whole: it serves from the start. Services are known once they
/// were set; of others `Check` says NOT_FOUND, and `Watch` SERVICE_UNKNOWN until they are. When a
/// server begins to drain, its clients are told that all is NOT_SERVING, and watching calls end
/// with OK. Several servers may share one; it outlives them.
///
/// Who watches and reads slowly is told of what is then; a call that waits costs about 2 KiB.
///
/// Thread safety: any thread.
class Health final : public Service {
 public:
  Health();
  ~Health() override;

  /// Sets the status of a service, and tells who watches it.
  void set(std::string_view service, ServingStatus status);
  /// The service is not known any more: who watches it is told SERVICE_UNKNOWN. Nothing if it was
  /// not.
  void remove(std::string_view service);
  /// As it was set; nothing of a service that is not known.
  std::optional<ServingStatus> status(std::string_view service) const;

 private:
  using CheckRequest = nearcall_contract::grpc::health::v1::HealthCheckRequest;
  using CheckResponse = nearcall_contract::grpc::health::v1::HealthCheckResponse;
  using ListRequest = nearcall_contract::grpc::health::v1::HealthListRequest;
  using ListResponse = nearcall_contract::grpc::health::v1::HealthListResponse;

  // The methods.

  Task<Result<CheckResponse>> check(ServerContext& call, CheckRequest request);
  Task<Result<ListResponse>> list(ServerContext& call, ListRequest request);
  Task<Status> watch(ServerContext& call,
                     CheckRequest request,
                     ServerWriter<CheckResponse>& replies);

  std::unique_ptr<detail::HealthBook> book_;
};

/// Asks a server how a service of it is; the empty name is the server as a whole. NOT_FOUND if the
/// server does not know the service, UNIMPLEMENTED if it has no health service.
Result<ServingStatus> check_health(const Channel& channel,
                                   std::string_view service = {},
                                   const CallOptions& options = {});
/// The same, awaited.
Task<Result<ServingStatus>> check_health_async(Channel channel,
                                               std::string service = {},
                                               CallOptions options = {});

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

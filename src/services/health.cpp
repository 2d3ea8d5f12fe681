// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1 over the HealthBook.
#include "services/health_book.hpp"

#include <nearcall/health.hpp>

#include <nearcall_contract/grpc/health/v1/health.pb.h>

#include <stop_token>
#include <string>
#include <utility>

namespace nearcall::inline v0 {
namespace {

constexpr Method check_method = {"/grpc.health.v1.Health/Check", MethodKind::unary};
constexpr Method list_method = {"/grpc.health.v1.Health/List", MethodKind::unary};
constexpr Method watch_method = {"/grpc.health.v1.Health/Watch", MethodKind::server_streaming};

/// What List gives at most; health-checking.md has it say RESOURCE_EXHAUSTED beyond that.
constexpr std::size_t max_list = 1000;

using Response = nearcall_contract::grpc::health::v1::HealthCheckResponse;

/// Nothing stands for a service that is not known.
Response::ServingStatus to_wire(std::optional<ServingStatus> status) noexcept {
  if (!status) return Response::SERVICE_UNKNOWN;
  switch (*status) {
    case ServingStatus::serving:
      return Response::SERVING;
    case ServingStatus::not_serving:
      return Response::NOT_SERVING;
    case ServingStatus::unknown:
      break;
  }
  return Response::UNKNOWN;
}

/// A server that drains serves nothing any more.
std::optional<ServingStatus> seen(std::optional<ServingStatus> status, bool is_stopping) noexcept {
  return status && is_stopping ? ServingStatus::not_serving : status;
}

}  // namespace

std::string_view to_string(ServingStatus status) {
  switch (status) {
    case ServingStatus::serving:
      return "SERVING";
    case ServingStatus::not_serving:
      return "NOT_SERVING";
    case ServingStatus::unknown:
      break;
  }
  return "UNKNOWN";
}

Health::Health()
    : Service(
          "grpc.health.v1.Health",
          {detail::unary_handler<Health, CheckRequest, CheckResponse, &Health::check>(check_method),
           detail::unary_handler<Health, ListRequest, ListResponse, &Health::list>(list_method),
           detail::server_streaming_handler<Health, CheckRequest, CheckResponse, &Health::watch>(
               watch_method)}),
      book_(std::make_unique<detail::HealthBook>()) {
  set("", ServingStatus::serving);
}

Health::~Health() = default;

void Health::set(std::string_view service, ServingStatus status) {
  book_->set(service, status);
}

void Health::remove(std::string_view service) {
  book_->remove(service);
}

std::optional<ServingStatus> Health::status(std::string_view service) const {
  return book_->status(service);
}

auto Health::check(ServerContext& call, CheckRequest request) -> Task<Result<CheckResponse>> {
  const auto status =
      seen(book_->status(request.service()), call.server_stopping().stop_requested());
  if (!status) co_return Status::not_found("health: no such service");
  CheckResponse response;
  response.set_status(to_wire(status));
  co_return response;
}

auto Health::list(ServerContext& call, ListRequest /*request*/) -> Task<Result<ListResponse>> {
  const bool is_stopping = call.server_stopping().stop_requested();
  const auto all = book_->statuses(max_list);
  if (!all) {
    co_return Status::resource_exhausted("health: there are more than " + std::to_string(max_list) +
                                         " services to list");
  }
  ListResponse response;
  for (const auto& [service, status] : *all)
    (*response.mutable_statuses())[service].set_status(to_wire(seen(status, is_stopping)));
  co_return response;
}

Task<Status> Health::watch(ServerContext& call,
                           CheckRequest request,
                           ServerWriter<CheckResponse>& replies) {
  detail::HealthWatcher watcher(*book_, request.service());
  if (watcher.refusal()) co_return Status::resource_exhausted(*watcher.refusal());
  const std::stop_token stopping = call.server_stopping();
  const std::stop_callback on_stop(stopping, detail::HealthWatcher::Wake{&watcher});
  const std::stop_callback on_cancel(call.cancellation(), detail::HealthWatcher::Wake{&watcher});
  std::optional<Response::ServingStatus> told;
  CheckResponse response;
  while (!call.is_cancelled()) {
    watcher.hear();
    const bool is_stopping = stopping.stop_requested();
    const Response::ServingStatus now = to_wire(seen(watcher.status(), is_stopping));
    if (told != now) {  // else it changed and changed back
      told = now;
      response.set_status(now);
      const bool is_taken = co_await replies.write(response);
      if (!is_taken) break;
    }
    if (is_stopping) co_return Status();
    co_await watcher.wait();
  }
  co_return Status::cancelled("nobody watches any more");
}

}  // namespace nearcall::inline v0

// SPDX-License-Identifier: Apache-2.0
// The reflection services of a server: one for each version of the contract, of the same messages.
#include "services/reflection_talk.hpp"

#include <nearcall/reflection.hpp>
#include <nearcall/service.hpp>
#include <nearcall/when.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>

namespace nearcall::inline v0 {
namespace {

using detail::ReflectionTalk;
using Request = ReflectionTalk::Request;
using Response = ReflectionTalk::Response;

constexpr Method v1_method = {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                              MethodKind::bidi_streaming};
constexpr Method v1alpha_method = {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   MethodKind::bidi_streaming};

Task<bool> read(ServerReader<Request>& requests, Request& into) {
  const bool has_read = co_await requests.read(into);
  co_return has_read;
}

Task<void> until_stopped(std::stop_token token) {
  co_await sleep_for(std::chrono::nanoseconds::max(), token);
}

/// Whether there is one more; false also once the server drains, or clients that stay would hold it
/// up.
Task<bool> read_next(ServerReader<Request>& requests, Request& into, std::stop_token stopping) {
  auto reading = read(requests, into);
  auto ending = until_stopped(std::move(stopping));
  const auto first = co_await when_any(std::move(reading), std::move(ending));
  co_return first.index() == 0 && std::get<0>(first);
}

/// Of each version. A call whose client does not read keeps a response.
constexpr int max_calls = 64;

/// One of the calls that are under way.
class CallPlace {
 public:
  explicit CallPlace(std::atomic<int>& taken) noexcept : taken_(&taken) { ++*taken_; }
  CallPlace(const CallPlace&) = delete;
  CallPlace& operator=(const CallPlace&) = delete;
  ~CallPlace() { --*taken_; }

  bool is_beyond_limit() const noexcept { return *taken_ > max_calls; }

 private:
  std::atomic<int>* taken_;
};

class ReflectionService final : public Service {
 public:
  ReflectionService(const Server& server, std::string_view name, const Method& method)
      : Service(name,
                {detail::bidi_streaming_handler<ReflectionService,
                                                Request,
                                                Response,
                                                &ReflectionService::talk>(method)}),
        server_(&server) {}

  Task<Status> talk(ServerContext& call,
                    ServerReader<Request>& requests,
                    ServerWriter<Response>& replies) {
    const CallPlace place(calls_);
    if (place.is_beyond_limit()) {
      co_return Status::resource_exhausted("reflection: more than " + std::to_string(max_calls) +
                                           " calls at a time");
    }
    const std::stop_token stopping = call.server_stopping();
    ReflectionTalk talk(files_);
    for (;;) {
      Request request;
      const bool has_request = co_await read_next(requests, request, stopping);
      if (!has_request) co_return Status();
      Status refused = ReflectionTalk::check(request);
      if (!refused.ok()) co_return refused;
      const Response response = talk.answer(std::move(request), server_->services());
      const bool is_taken = co_await replies.write(response);
      if (!is_taken) co_return Status::cancelled("nobody asks any more");
    }
  }

 private:
  const Server* server_;
  std::atomic<int> calls_ = 0;  // those under way
  detail::LinkedFiles files_{*google::protobuf::DescriptorPool::generated_pool()};
};

}  // namespace

void add_reflection(Server& server) {
  server.add_service(std::make_shared<ReflectionService>(
      server, "grpc.reflection.v1.ServerReflection", v1_method));
  server.add_service(std::make_shared<ReflectionService>(
      server, "grpc.reflection.v1alpha.ServerReflection", v1alpha_method));
}

}  // namespace nearcall::inline v0

// SPDX-License-Identifier: Apache-2.0
// A client's question to a reflection service: which services are there?
#include <nearcall/client_stub.hpp>
#include <nearcall/reflection.hpp>

#include <nearcall_contract/grpc/reflection/v1/reflection.pb.h>

#include <optional>
#include <utility>

namespace nearcall::inline v0 {
namespace {

namespace wire = nearcall_contract::grpc::reflection::v1;
using Request = wire::ServerReflectionRequest;
using Response = wire::ServerReflectionResponse;
using Names = std::vector<std::string>;

// The newer version first.
constexpr Method methods[] = {
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", MethodKind::bidi_streaming},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", MethodKind::bidi_streaming}};

Request question() {
  Request request;
  request.set_list_services("*");
  return request;
}

Result<Names> names_in(const std::optional<Response>& response, const Status& ended) {
  if (!ended.ok()) return ended;
  if (!response) return Status::internal("reflection: the server gave no answer");
  if (response->has_error_response()) {
    const wire::ErrorResponse& error = response->error_response();
    return Status(static_cast<StatusCode>(error.error_code()), error.error_message());
  }
  Names names;
  for (const wire::ServiceResponse& service : response->list_services_response().service())
    names.push_back(service.name());
  return names;
}

bool is_unknown(const Result<Names>& names) {
  return !names && names.error().code() == StatusCode::unimplemented;
}

Result<Names> ask(const ClientStub& stub, std::size_t method, const CallOptions& options) {
  auto call = stub.bidi_streaming<Request, Response>(method, options);
  call.write(question());
  call.writes_done();
  const std::optional<Response> response = call.read();
  if (response) static_cast<void>(call.read());  // the end
  return names_in(response, call.finish());
}

Task<Result<Names>> ask_async(const ClientStub& stub,
                              std::size_t method,
                              const CallOptions& options) {
  auto call = stub.bidi_streaming_async<Request, Response>(method, options);
  const Request request = question();
  co_await call.write(request);
  call.writes_done();
  const std::optional<Response> response = co_await call.read();
  if (response) co_await call.read();  // the end
  const Status ended = co_await call.finish();
  co_return names_in(response, ended);
}

}  // namespace

Result<Names> list_services(const Channel& channel, const CallOptions& options) {
  const ClientStub stub(channel, methods);
  Result<Names> names = ask(stub, 0, options);
  return is_unknown(names) ? ask(stub, 1, options) : names;
}

Task<Result<Names>> list_services_async(Channel channel, CallOptions options) {
  const ClientStub stub(channel, methods);
  Result<Names> names = co_await ask_async(stub, 0, options);
  if (is_unknown(names)) names = co_await ask_async(stub, 1, options);
  co_return names;
}

}  // namespace nearcall::inline v0

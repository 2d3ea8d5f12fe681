// SPDX-License-Identifier: Apache-2.0
// The template of the server side: a class to derive from, with a virtual function for each method.
#include "codegen/templates.hpp"
#include "codegen/text_template.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace nearcall::codegen {
namespace {

constexpr std::string_view service_declaration_template = R"(
/// The server side: derive from it and override. What is not overridden answers UNIMPLEMENTED.
class Service : public ::nearcall::Service {
 public:
  Service();

  $methods$
};
)";

constexpr std::string_view empty_declaration_template = R"(
/// The server side.
class Service : public ::nearcall::Service {
 public:
  Service();
};
)";

constexpr std::string_view handler_declaration_template = R"(
$comment$
$signature$
)";

constexpr std::string_view service_constructor_template = R"(
$class$::Service::Service()
    : ::nearcall::Service(
          $scope$$class$::full_name,
          {
              $handlers$
          }) {}
)";

constexpr std::string_view empty_constructor_template = R"(
$class$::Service::Service() : ::nearcall::Service($scope$$class$::full_name, {}) {}
)";

constexpr std::string_view handler_definition_template = R"(
$signature$
  $answer$
}
)";

bool streams_requests(const MethodModel& method) {
  return method.kind == Kind::client_streaming || method.kind == Kind::bidi_streaming;
}

bool streams_replies(const MethodModel& method) {
  return method.kind == Kind::server_streaming || method.kind == Kind::bidi_streaming;
}

std::string return_type(const MethodModel& method) {
  if (streams_replies(method)) return "::nearcall::Task<::nearcall::Status>";
  return "::nearcall::Task<::nearcall::Result<" + method.reply + ">>";
}

/// The parameters, with their names or with these as comments.
std::vector<std::string> parameters(const MethodModel& method, bool with_names) {
  const auto name = [with_names](const std::string& type, const std::string& text) {
    return with_names ? type + " " + text : type + " /*" + text + "*/";
  };
  std::vector<std::string> result;
  result.push_back(name("::nearcall::ServerContext&", "call"));
  if (streams_requests(method)) {
    result.push_back(name("::nearcall::ServerReader<" + method.request + ">&", "requests"));
  } else {
    result.push_back(name(method.request, "request"));
  }
  if (streams_replies(method)) {
    result.push_back(name("::nearcall::ServerWriter<" + method.reply + ">&", "replies"));
  }
  return result;
}

std::string method_constant(const ServiceModel& service, std::size_t index) {
  return service.scope + service.methods_constant + "[" + std::to_string(index) + "]";
}

std::string handler_declaration(const MethodModel& method) {
  constexpr std::size_t indent = 4;
  Signature signature;
  // Never [[deprecated]]: old clients still call it, and clang warns at the template that runs it.
  signature.type = "virtual " + return_type(method);
  signature.name = method.name;
  signature.arguments = parameters(method, /*with_names=*/true);
  signature.tail = ";";
  return fill(handler_declaration_template,
              {{"comment", member_comment(method)}, {"signature", wrap(signature, indent)}});
}

std::string handler_definition(const ServiceModel& service, std::size_t index) {
  const MethodModel& method = service.methods[index];
  const std::string result = "-> " + return_type(method) + " {";
  Signature signature;
  signature.type = "auto";
  signature.name = service.name + "::Service::" + method.name;
  signature.arguments = parameters(method, /*with_names=*/false);
  signature.tail = " " + result;
  std::string text = wrap(signature, 0);
  if (text.find('\n') != std::string::npos) {
    signature.tail.clear();
    text = wrap(signature, 0) + "\n    " + result;
  }
  Signature answer;
  answer.name = "co_return ::nearcall::detail::unimplemented";
  answer.arguments = {method_constant(service, index)};
  answer.tail = ";";
  return fill(handler_definition_template, {{"signature", text}, {"answer", wrap(answer, 2)}});
}

std::string handler(const ServiceModel& service, std::size_t index) {
  constexpr std::size_t indent = 14;
  const MethodModel& method = service.methods[index];
  Signature call;
  call.name = "::nearcall::detail::" + to_string(method.kind) + "_handler<Service, " +
              method.request + ", " + method.reply + ", &Service::" + method.name + ">";
  call.arguments = {method_constant(service, index)};
  call.tail = ",";
  return wrap(call, indent);
}

std::string constructor(const ServiceModel& service) {
  if (service.methods.empty()) {
    return fill(empty_constructor_template, {{"scope", service.scope}, {"class", service.name}});
  }
  std::vector<std::string> handlers;
  for (std::size_t i = 0; i < service.methods.size(); ++i)
    handlers.push_back(handler(service, i));
  return fill(
      service_constructor_template,
      {{"scope", service.scope}, {"class", service.name}, {"handlers", join(handlers, "")}});
}

}  // namespace

std::string server_declaration(const ServiceModel& service) {
  if (service.methods.empty()) return fill(empty_declaration_template, {});
  std::vector<std::string> methods;
  for (const MethodModel& method : service.methods)
    methods.push_back(handler_declaration(method));
  return fill(service_declaration_template, {{"methods", join(methods, "\n")}});
}

std::string server_definition(const ServiceModel& service) {
  std::vector<std::string> blocks = {constructor(service)};
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    blocks.push_back(handler_definition(service, i));
  }
  return join(blocks, "\n");
}

}  // namespace nearcall::codegen

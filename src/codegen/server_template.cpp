// SPDX-License-Identifier: Apache-2.0
// The templates of the server side: classes to derive from, with a virtual function for each
// method.
#include "codegen/templates.hpp"
#include "codegen/text_template.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace nearcall::codegen {
namespace {

constexpr std::string_view service_declaration_template = R"(
$comment$
class $form$ : public ::nearcall::$form$ {
 public:
  $form$();

  $methods$
};
)";

constexpr std::string_view empty_declaration_template = R"(
$comment$
class $form$ : public ::nearcall::$form$ {
 public:
  $form$();
};
)";

constexpr std::string_view handler_declaration_template = R"(
$comment$
$signature$
)";

constexpr std::string_view service_constructor_template = R"(
$class$::$form$::$form$()
    : ::nearcall::$form$(
          $scope$$class$::full_name,
          {
              $handlers$
          }) {}
)";

constexpr std::string_view empty_constructor_template = R"(
$class$::$form$::$form$() : ::nearcall::$form$($scope$$class$::full_name, {}) {}
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

/// One of the two classes of a service.
struct Form {
  std::string_view name;
  std::string_view comment;
  /// Ordinary functions, no coroutines.
  bool is_blocking;
};

constexpr Form coroutine_form = {
    "Service",
    "/// The server side: derive from it and override. What is not overridden answers "
    "UNIMPLEMENTED.\n",
    /*is_blocking=*/false};
constexpr Form blocking_form = {
    "BlockingService",
    "/// The same with ordinary functions, which may block: each call has a thread of a pool.\n",
    /*is_blocking=*/true};

std::string template_of(const std::string& name, const std::string& argument) {
  return "::nearcall::" + name + "<" + argument + ">";
}

/// Whether a handler is given the request and the reply on the call's arena.
bool is_on_arena(const Form& form, const ServiceModel& service, const MethodModel& method) {
  return service.has_arenas && method.kind == Kind::unary && !form.is_blocking;
}

std::string return_type(const Form& form, const ServiceModel& service, const MethodModel& method) {
  const std::string outcome = streams_replies(method) || is_on_arena(form, service, method)
                                  ? "::nearcall::Status"
                                  : template_of("Result", method.reply);
  return form.is_blocking ? outcome : template_of("Task", outcome);
}

/// The parameters, with their names or with these as comments.
std::vector<std::string> parameters(const Form& form,
                                    const ServiceModel& service,
                                    const MethodModel& method,
                                    bool with_names) {
  const auto name = [with_names](const std::string& type, const std::string& text) {
    return with_names ? type + " " + text : type + " /*" + text + "*/";
  };
  const std::string side = form.is_blocking ? "Blocking" : "Server";
  std::vector<std::string> result;
  result.push_back(name("::nearcall::ServerContext&", "call"));
  if (streams_requests(method)) {
    result.push_back(name(template_of(side + "Reader", method.request) + "&", "requests"));
  } else {
    const std::string& type = method.request;
    const bool is_reference = form.is_blocking || is_on_arena(form, service, method);
    result.push_back(name(is_reference ? "const " + type + "&" : type, "request"));
  }
  if (is_on_arena(form, service, method)) result.push_back(name(method.reply + "&", "reply"));
  if (streams_replies(method)) {
    result.push_back(name(template_of(side + "Writer", method.reply) + "&", "replies"));
  }
  return result;
}

std::string method_constant(const ServiceModel& service, std::size_t index) {
  return service.scope + service.methods_constant + "[" + std::to_string(index) + "]";
}

std::string handler_declaration(const Form& form,
                                const ServiceModel& service,
                                const MethodModel& method) {
  constexpr std::size_t indent = 4;
  Signature signature;
  // Never [[deprecated]]: old clients still call it, and clang warns at the template that runs it.
  signature.type = "virtual " + return_type(form, service, method);
  signature.name = method.name;
  signature.arguments = parameters(form, service, method, /*with_names=*/true);
  signature.tail = ";";
  return fill(handler_declaration_template,
              {{"comment", member_comment(method)}, {"signature", wrap(signature, indent)}});
}

std::string handler_definition(const Form& form, const ServiceModel& service, std::size_t index) {
  const MethodModel& method = service.methods[index];
  const std::string result = "-> " + return_type(form, service, method) + " {";
  Signature signature;
  signature.type = "auto";
  signature.name = service.name + "::" + std::string(form.name) + "::" + method.name;
  signature.arguments = parameters(form, service, method, /*with_names=*/false);
  signature.tail = " " + result;
  std::string text = wrap(signature, 0);
  if (text.find('\n') != std::string::npos) {
    signature.tail.clear();
    text = wrap(signature, 0) + "\n    " + result;
  }
  Signature answer;
  answer.name =
      std::string(form.is_blocking ? "return" : "co_return") + " ::nearcall::detail::unimplemented";
  answer.arguments = {method_constant(service, index)};
  answer.tail = ";";
  return fill(handler_definition_template, {{"signature", text}, {"answer", wrap(answer, 2)}});
}

std::string handler(const Form& form, const ServiceModel& service, std::size_t index) {
  constexpr std::size_t indent = 14;
  const MethodModel& method = service.methods[index];
  const std::string class_name(form.name);
  const std::string kind =
      (is_on_arena(form, service, method) ? "arena_" : "") + to_string(method.kind);
  const std::string types = class_name + ", " + method.request + ", " + method.reply + ", &" +
                            class_name + "::" + method.name + ">";
  Signature call;
  call.name = "::nearcall::detail::";
  call.name += form.is_blocking ? "blocking_handler<::nearcall::MethodKind::" + kind + ", " + types
                                : kind + "_handler<" + types;
  call.arguments = {method_constant(service, index)};
  call.tail = ",";
  return wrap(call, indent);
}

std::string constructor(const Form& form, const ServiceModel& service) {
  const std::string name(form.name);
  if (service.methods.empty()) {
    return fill(empty_constructor_template,
                {{"scope", service.scope}, {"class", service.name}, {"form", name}});
  }
  std::vector<std::string> handlers;
  for (std::size_t i = 0; i < service.methods.size(); ++i)
    handlers.push_back(handler(form, service, i));
  return fill(service_constructor_template, {{"scope", service.scope},
                                             {"class", service.name},
                                             {"form", name},
                                             {"handlers", join(handlers, "")}});
}

std::string declaration(const Form& form, const ServiceModel& service) {
  const std::string name(form.name);
  const std::string comment(form.comment);
  if (service.methods.empty()) {
    return fill(empty_declaration_template, {{"comment", comment}, {"form", name}});
  }
  std::vector<std::string> methods;
  for (const MethodModel& method : service.methods)
    methods.push_back(handler_declaration(form, service, method));
  return fill(service_declaration_template,
              {{"comment", comment}, {"form", name}, {"methods", join(methods, "\n")}});
}

std::string definition(const Form& form, const ServiceModel& service) {
  std::vector<std::string> blocks = {constructor(form, service)};
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    blocks.push_back(handler_definition(form, service, i));
  }
  return join(blocks, "\n");
}

}  // namespace

std::string server_declaration(const ServiceModel& service) {
  return join({declaration(coroutine_form, service), declaration(blocking_form, service)}, "\n");
}

std::string server_definition(const ServiceModel& service) {
  return join({definition(coroutine_form, service), definition(blocking_form, service)}, "\n");
}

}  // namespace nearcall::codegen

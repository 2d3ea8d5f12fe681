// SPDX-License-Identifier: Apache-2.0
// The templates of the client side: for each method a blocking member and an awaited one, and an
// interface of them.
#include "codegen/names.hpp"
#include "codegen/templates.hpp"
#include "codegen/text_template.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace nearcall::codegen {
namespace {

constexpr std::string_view declaration_template = R"(
/// What Client can do, for code whose tests give it a mock. What that does not override ends the
/// program.
class ClientInterface {
 public:
  virtual ~ClientInterface() = default;

  $interface$

 protected:
  ClientInterface() = default;
  ClientInterface(const ClientInterface&) = default;
  ClientInterface& operator=(const ClientInterface&) = default;
};

/// The client side: calls over one channel, blocking and awaited.
///
/// A value; it may outlive the channel object. Thread safety: any thread.
class Client final : public ClientInterface {
 public:
  explicit Client(const ::nearcall::Channel& channel);

  $methods$

 private:
  ::nearcall::ClientStub $stub$;
};
)";

constexpr std::string_view constructor_template = R"(
$signature$
    : $stub$(channel, $methods$) {}
)";

constexpr std::string_view method_declaration_template = R"(
$comment$
$blocking$
/// $name$, awaited.
$awaited$
)";

constexpr std::string_view into_declaration_template = R"(
/// The same into a reply of the caller's, such as one on an arena; awaited, it outlives the call.
$blocking$
$awaited$
)";

constexpr std::string_view interface_method_template = R"(
$blocking$
$awaited$
)";

constexpr std::string_view interface_definition_template = R"(
$blocking$
  ::nearcall::detail::fail_not_overridden("$class$::ClientInterface::$name$");
}

$awaited$
  ::nearcall::detail::fail_not_overridden("$class$::ClientInterface::$awaited_name$");
}
)";

constexpr std::string_view method_definition_template = R"(
$blocking$
  $call$
}

$awaited$
  $call_async$
}
)";

/// The types that calls of one kind are made of.
struct CallShape {
  bool takes_request;
  std::string blocking_type;
  std::string async_type;
  /// The template arguments of the stub's functions.
  std::string stub_types;
};

CallShape shape_of(const MethodModel& method) {
  const std::string& reply = method.reply;
  const std::string both = method.request + ", " + reply;
  const std::string ours = "::nearcall::";
  switch (method.kind) {
    case Kind::unary:
      return {true, ours + "Result<" + reply + ">", ours + "AsyncUnaryCall<" + reply + ">", reply};
    case Kind::server_streaming:
      return {true, ours + "ServerStreamingCall<" + reply + ">",
              ours + "AsyncServerStreamingCall<" + reply + ">", reply};
    case Kind::client_streaming:
      return {false, ours + "ClientStreamingCall<" + both + ">",
              ours + "AsyncClientStreamingCall<" + both + ">", both};
    case Kind::bidi_streaming:
      break;
  }
  return {false, ours + "BidiStreamingCall<" + both + ">",
          ours + "AsyncBidiStreamingCall<" + both + ">", both};
}

/// The member that makes the calls: an RPC keeps its name, whatever that is.
std::string stub_name(const ServiceModel& service) {
  std::string name = "stub_";
  const auto is_taken = [&name](const MethodModel& method) { return method.name == name; };
  while (std::any_of(service.methods.begin(), service.methods.end(), is_taken))
    name.insert(0, "the_");
  return name;
}

/// The members of a method: each of the two also, where it is for arenas, with a reply that the
/// caller has.
enum class MemberForm { blocking, awaited, blocking_into, awaited_into };

bool is_async(MemberForm form) {
  return form == MemberForm::awaited || form == MemberForm::awaited_into;
}
bool is_into(MemberForm form) {
  return form == MemberForm::blocking_into || form == MemberForm::awaited_into;
}

/// Whether it fills a CallInfo: all other calls are objects that can be asked.
bool takes_info(const MethodModel& method, MemberForm form) {
  return method.kind == Kind::unary && !is_async(form);
}

/// Whether it has a form for replies that the caller has.
bool has_into(const ServiceModel& service, const MethodModel& method) {
  return service.has_arenas && method.kind == Kind::unary;
}

std::string result_type(const MethodModel& method, MemberForm form) {
  if (form == MemberForm::blocking_into) return "::nearcall::Status";
  if (form == MemberForm::awaited_into) return "::nearcall::AsyncCallInto";
  const CallShape shape = shape_of(method);
  return is_async(form) ? shape.async_type : shape.blocking_type;
}

/// Where a member stands: declared in the interface or in Client, or the definition of one of them.
enum class Place { interface, client, interface_definition, client_definition };

/// The declaration of one member, or the head of its definition: then `scope` is
/// "Greeter::Client::".
std::string member(const MethodModel& method,
                   MemberForm form,
                   Place place,
                   std::size_t indent,
                   const std::string& scope = {}) {
  const bool is_declaration = place == Place::interface || place == Place::client;
  const auto named = [place](const std::string& type, const std::string& name) {
    return type + (place == Place::interface_definition ? " /*" + name + "*/" : " " + name);
  };
  const CallShape shape = shape_of(method);
  Signature signature;
  if (is_declaration && method.is_deprecated) signature.type = "[[deprecated]] ";
  if (place == Place::interface) signature.type += "virtual ";
  signature.type += result_type(method, form);
  signature.name = scope + (is_async(form) ? async_name(method.name) : method.name);
  if (shape.takes_request)
    signature.arguments.push_back(named("const " + method.request + "&", "request"));
  if (is_into(form)) signature.arguments.push_back(named(method.reply + "&", "reply"));
  signature.arguments.push_back(named("const ::nearcall::CallOptions&", "options") +
                                (is_declaration ? " = {}" : ""));
  if (takes_info(method, form)) {
    signature.arguments.push_back(named("::nearcall::CallInfo*", "info") +
                                  (is_declaration ? " = nullptr" : ""));
  }
  signature.tail = !is_declaration          ? " const {"
                   : place == Place::client ? " const override;"
                                            : " const;";
  return wrap(signature, indent);
}

std::string stub_call(const ServiceModel& service, std::size_t index, MemberForm form) {
  constexpr std::size_t indent = 2;
  const MethodModel& method = service.methods[index];
  const CallShape shape = shape_of(method);
  Signature call;
  call.name = "return " + stub_name(service) + "." + to_string(method.kind) +
              (is_into(form) ? "_into" : "");
  if (is_async(form)) call.name += "_async";
  if (!is_into(form)) call.name += "<" + shape.stub_types + ">";
  call.arguments = {std::to_string(index)};
  if (shape.takes_request) call.arguments.emplace_back("request");
  if (is_into(form)) call.arguments.emplace_back("reply");
  call.arguments.emplace_back("options");
  if (takes_info(method, form)) call.arguments.emplace_back("info");
  call.tail = ";";
  return wrap(call, indent);
}

std::string method_declaration(const ServiceModel& service, const MethodModel& method) {
  constexpr std::size_t indent = 4;
  const std::string usual =
      fill(method_declaration_template,
           {{"comment", member_comment(method)},
            {"name", method.name},
            {"blocking", member(method, MemberForm::blocking, Place::client, indent)},
            {"awaited", member(method, MemberForm::awaited, Place::client, indent)}});
  if (!has_into(service, method)) return usual;
  return usual +
         fill(into_declaration_template,
              {{"blocking", member(method, MemberForm::blocking_into, Place::client, indent)},
               {"awaited", member(method, MemberForm::awaited_into, Place::client, indent)}});
}

std::string interface_method(const ServiceModel& service, const MethodModel& method) {
  constexpr std::size_t indent = 4;
  const auto pair = [&method](MemberForm blocking, MemberForm awaited) {
    return fill(interface_method_template,
                {{"blocking", member(method, blocking, Place::interface, indent)},
                 {"awaited", member(method, awaited, Place::interface, indent)}});
  };
  const std::string usual = pair(MemberForm::blocking, MemberForm::awaited);
  if (!has_into(service, method)) return usual;
  return usual + pair(MemberForm::blocking_into, MemberForm::awaited_into);
}

std::string interface_definition(const ServiceModel& service, const MethodModel& method) {
  const std::string scope = service.name + "::ClientInterface::";
  constexpr Place place = Place::interface_definition;
  const auto pair = [&](MemberForm blocking, MemberForm awaited) {
    return fill(interface_definition_template,
                {{"blocking", member(method, blocking, place, 0, scope)},
                 {"awaited", member(method, awaited, place, 0, scope)},
                 {"class", service.name},
                 {"name", method.name},
                 {"awaited_name", async_name(method.name)}});
  };
  const std::string usual = pair(MemberForm::blocking, MemberForm::awaited);
  if (!has_into(service, method)) return usual;
  return usual + "\n" + pair(MemberForm::blocking_into, MemberForm::awaited_into);
}

std::string method_definition(const ServiceModel& service, std::size_t index) {
  const MethodModel& method = service.methods[index];
  const std::string scope = service.name + "::Client::";
  const auto pair = [&](MemberForm blocking, MemberForm awaited) {
    return fill(method_definition_template,
                {{"blocking", member(method, blocking, Place::client_definition, 0, scope)},
                 {"awaited", member(method, awaited, Place::client_definition, 0, scope)},
                 {"call", stub_call(service, index, blocking)},
                 {"call_async", stub_call(service, index, awaited)}});
  };
  const std::string usual = pair(MemberForm::blocking, MemberForm::awaited);
  if (!has_into(service, method)) return usual;
  return usual + "\n" + pair(MemberForm::blocking_into, MemberForm::awaited_into);
}

}  // namespace

std::string client_declaration(const ServiceModel& service) {
  std::vector<std::string> interface;
  std::vector<std::string> methods;
  for (const MethodModel& method : service.methods) {
    interface.push_back(interface_method(service, method));
    methods.push_back(method_declaration(service, method));
  }
  return fill(declaration_template, {{"interface", join(interface, "\n")},
                                     {"methods", join(methods, "\n")},
                                     {"stub", stub_name(service)}});
}

std::string client_definition(const ServiceModel& service) {
  const std::string methods =
      service.methods.empty() ? "{}" : service.scope + service.methods_constant;
  const std::string constructor =
      service.name + "::Client::Client(const ::nearcall::Channel& channel)";
  std::vector<std::string> blocks = {
      fill(constructor_template,
           {{"signature", constructor}, {"methods", methods}, {"stub", stub_name(service)}})};
  for (std::size_t i = 0; i < service.methods.size(); ++i) {
    blocks.push_back(method_definition(service, i));
  }
  for (const MethodModel& method : service.methods)
    blocks.push_back(interface_definition(service, method));
  return join(blocks, "\n");
}

}  // namespace nearcall::codegen

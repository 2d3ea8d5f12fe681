// SPDX-License-Identifier: Apache-2.0
// The model: what a .proto says about its services, in the words of the generated code.
#include "codegen/model.hpp"

#include "codegen/comments.hpp"
#include "codegen/names.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstddef>
#include <set>

namespace nearcall::codegen {
namespace {

namespace pb = google::protobuf;

Kind kind_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? Kind::bidi_streaming : Kind::client_streaming;
  }
  return method.server_streaming() ? Kind::server_streaming : Kind::unary;
}

template <class Descriptor>
std::vector<std::string> proto_names(const std::vector<const Descriptor*>& descriptors) {
  std::vector<std::string> names(descriptors.size());
  std::transform(descriptors.begin(), descriptors.end(), names.begin(),
                 [](const Descriptor* descriptor) { return descriptor->name(); });
  return names;
}

bool is_deprecated(const pb::Descriptor* message) {
  for (; message != nullptr; message = message->containing_type()) {
    if (message->options().deprecated()) return true;
  }
  return false;
}

bool speaks_of_deprecated(const pb::ServiceDescriptor& service) {
  if (service.options().deprecated()) return true;
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    if (method.options().deprecated() || is_deprecated(method.input_type()) ||
        is_deprecated(method.output_type())) {
      return true;
    }
  }
  return false;
}

MethodModel model_of(const pb::MethodDescriptor& method, const std::string& name) {
  MethodModel model;
  model.proto_name = method.name();
  model.name = name;
  model.path = "/" + method.service()->full_name() + "/" + method.name();
  model.kind = kind_of(method);
  model.request = cpp_message(*method.input_type());
  model.reply = cpp_message(*method.output_type());
  model.comment = comment_of(method);
  model.is_deprecated = method.options().deprecated();
  return model;
}

ServiceModel model_of(const pb::ServiceDescriptor& service,
                      const std::string& name,
                      const std::string& scope,
                      const std::string& methods_constant) {
  ServiceModel model;
  model.proto_name = service.name();
  model.name = name;
  model.full_name = service.full_name();
  model.scope = scope;
  model.methods_constant = methods_constant;
  model.comment = comment_of(service);
  model.is_deprecated = service.options().deprecated();

  std::vector<const pb::MethodDescriptor*> methods(
      static_cast<std::size_t>(service.method_count()));
  for (int i = 0; i < service.method_count(); ++i) {
    methods[static_cast<std::size_t>(i)] = service.method(i);
  }
  const std::vector<std::string> names = method_names(proto_names(methods));
  for (std::size_t i = 0; i < methods.size(); ++i) {
    model.methods.push_back(model_of(*methods[i], names[i]));
  }
  return model;
}

}  // namespace

std::string to_string(Kind kind) {
  switch (kind) {
    case Kind::unary:
      return "unary";
    case Kind::server_streaming:
      return "server_streaming";
    case Kind::client_streaming:
      return "client_streaming";
    case Kind::bidi_streaming:
      return "bidi_streaming";
  }
  return {};
}

FileModel model_of(const pb::FileDescriptor& file) {
  FileModel model;
  model.proto = file.name();
  model.stem = file_stem(file);
  model.cpp_namespace = cpp_namespace(file);
  model.speaks_of_deprecated = false;

  std::vector<const pb::ServiceDescriptor*> services(
      static_cast<std::size_t>(file.service_count()));
  for (int i = 0; i < file.service_count(); ++i) {
    services[static_cast<std::size_t>(i)] = file.service(i);
  }
  std::set<std::string> taken = names_by_protobuf(file);
  const std::vector<std::string> names = service_names(proto_names(services), taken);
  taken.insert(names.begin(), names.end());
  const std::string scope = model.cpp_namespace.empty() ? "::" : "::" + model.cpp_namespace + "::";
  for (std::size_t i = 0; i < services.size(); ++i) {
    model.services.push_back(
        model_of(*services[i], names[i], scope, methods_constant(names[i], taken)));
    if (speaks_of_deprecated(*services[i])) model.speaks_of_deprecated = true;
  }
  return model;
}

}  // namespace nearcall::codegen

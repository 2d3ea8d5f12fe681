// SPDX-License-Identifier: Apache-2.0
// The model: what a .proto says about its services, in the words of the generated code.
#include "codegen/model.hpp"

#include "codegen/comments.hpp"
#include "codegen/names.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <cstddef>
#include <set>
#include <utility>

namespace nearcall::codegen {
namespace {

namespace pb = google::protobuf;

Kind kind_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? Kind::bidi_streaming : Kind::client_streaming;
  }
  return method.server_streaming() ? Kind::server_streaming : Kind::unary;
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

MethodModel model_of(const pb::MethodDescriptor& method, std::string name) {
  MethodModel model;
  model.proto_name = method.name();
  model.name = std::move(name);
  model.path = "/" + method.service()->full_name() + "/" + method.name();
  model.kind = kind_of(method);
  model.request = cpp_message(*method.input_type());
  model.reply = cpp_message(*method.output_type());
  model.comment = comment_of(method);
  model.is_deprecated = method.options().deprecated();
  return model;
}

ServiceModel model_of(const pb::ServiceDescriptor& service, std::string name, std::string methods) {
  ServiceModel model;
  model.proto_name = service.name();
  model.name = std::move(name);
  model.full_name = service.full_name();
  model.methods_constant = std::move(methods);
  model.comment = comment_of(service);
  model.is_deprecated = service.options().deprecated();

  std::vector<std::string> names;
  for (int i = 0; i < service.method_count(); ++i)
    names.push_back(service.method(i)->name());
  names = method_names(names, model.methods_constant);
  for (int i = 0; i < service.method_count(); ++i) {
    model.methods.push_back(
        model_of(*service.method(i), std::move(names[static_cast<std::size_t>(i)])));
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

  std::vector<std::string> names;
  for (int i = 0; i < file.service_count(); ++i)
    names.push_back(file.service(i)->name());
  std::set<std::string> taken = names_by_protobuf(file);
  names = service_names(names, taken);
  taken.insert(names.begin(), names.end());
  for (int i = 0; i < file.service_count(); ++i) {
    const pb::ServiceDescriptor& service = *file.service(i);
    std::string& name = names[static_cast<std::size_t>(i)];
    std::string methods = methods_constant(name, taken);
    model.services.push_back(model_of(service, std::move(name), std::move(methods)));
    if (nearcall::codegen::speaks_of_deprecated(service)) model.speaks_of_deprecated = true;
  }
  return model;
}

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// The model: what a .proto says about its services, in the words of the generated code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace google::protobuf {
class FileDescriptor;
}  // namespace google::protobuf

namespace nearcall::codegen {

/// As nearcall::MethodKind.
enum class Kind : std::uint8_t { unary, server_streaming, client_streaming, bidi_streaming };

/// "server_streaming": the spelling of the enumerator, and the stem of the runtime's functions.
std::string to_string(Kind kind);

struct MethodModel {
  std::string proto_name;
  /// The member: proto_name, or that with `_` (names.hpp).
  std::string name;
  /// "/package.Service/Method".
  std::string path;
  Kind kind;
  /// The C++ classes of the messages, from the global namespace on.
  std::string request;
  std::string reply;
  /// `///` lines, or empty.
  std::string comment;
  bool is_deprecated;
};

struct ServiceModel {
  std::string proto_name;
  /// The class: proto_name, or that with `_`.
  std::string name;
  /// "package.Service".
  std::string full_name;
  /// "::package::", where the class and the constant are: a method may have the name of either.
  std::string scope;
  /// The constant with the methods.
  std::string methods_constant;
  std::string comment;
  bool is_deprecated;
  std::vector<MethodModel> methods;
  /// Options::has_arenas.
  bool has_arenas = false;
};

struct FileModel {
  /// "foo/bar.proto"
  std::string proto;
  /// "foo/bar"
  std::string stem;
  /// "a::b", or empty.
  std::string cpp_namespace;
  /// Whether the code names anything that is deprecated.
  bool speaks_of_deprecated;
  std::vector<ServiceModel> services;
};

FileModel model_of(const google::protobuf::FileDescriptor& file);

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// Comments of a .proto as `///` comments.
#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class MethodDescriptor;
class ServiceDescriptor;
}  // namespace google::protobuf

namespace nearcall::codegen {

/// `text`, as protobuf keeps comments, with `///` before each line; whatever it says, nothing of it
/// becomes code. Empty if there is no text.
std::string doc_comment(std::string_view text);

/// The comments before and behind a declaration, as one.
std::string comment_of(const google::protobuf::ServiceDescriptor& service);
std::string comment_of(const google::protobuf::MethodDescriptor& method);

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// ProtoText: .proto files written in a test, as descriptors.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace nearcall::codegen {

/// Turns the text of .proto files into descriptors, which live as long as this.
class ProtoText {
 public:
  /// Later files may import earlier ones. Comments are kept. The text must be right.
  const google::protobuf::FileDescriptor& add(const std::string& name, const std::string& text);

 private:
  google::protobuf::DescriptorPool pool_;
};

}  // namespace nearcall::codegen

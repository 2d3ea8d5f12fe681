// SPDX-License-Identifier: Apache-2.0
// ProtoText: .proto files written in a test, as descriptors.
#include "codegen/proto_text.hpp"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdlib>
#include <iostream>

namespace nearcall::codegen {
namespace {

class PrintErrors final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line,
                google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    std::cerr << line + 1 << ":" << column + 1 << ": " << message << "\n";
  }
};

}  // namespace

const google::protobuf::FileDescriptor& ProtoText::add(const std::string& name,
                                                       const std::string& text) {
  PrintErrors errors;
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  google::protobuf::io::Tokenizer tokenizer(&input, &errors);
  google::protobuf::compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  google::protobuf::FileDescriptorProto parsed;
  parsed.set_name(name);
  const google::protobuf::FileDescriptor* file = nullptr;
  if (parser.Parse(&tokenizer, &parsed)) file = pool_.BuildFile(parsed);
  if (file == nullptr) {
    std::cerr << "the test's " << name << " is wrong\n";
    std::abort();
  }
  return *file;
}

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// Generator: writes foo.nearcall.hpp and foo.nearcall.cpp for foo.proto.
#pragma once

#include <google/protobuf/compiler/code_generator.h>

#include <cstdint>
#include <string>

namespace nearcall::codegen {

/// Writes foo.nearcall.hpp and foo.nearcall.cpp for foo.proto. Both are always written, even
/// without services, so that build rules need not look into the .proto.
class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  bool Generate(const google::protobuf::FileDescriptor* file,
                const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context,
                std::string* error) const override;
  std::uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// protoc-gen-nearcall: the plugin that protoc runs for `--nearcall_out=DIR`.
#include "codegen/generator.hpp"

#include <google/protobuf/compiler/plugin.h>

int main(int argc, char* argv[]) {
  const nearcall::codegen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}

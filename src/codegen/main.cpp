// SPDX-License-Identifier: Apache-2.0
// protoc-gen-nearcall: the plugin that protoc runs for `--nearcall_out=DIR`.
#include "codegen/generator.hpp"

#include <google/protobuf/compiler/plugin.h>

#include <cstdio>
#include <string_view>

namespace {

constexpr const char* help =
    R"(protoc-gen-nearcall: the plugin of protoc that writes nearcall's C++ code.

protoc runs it; it must be in PATH, or be named:

    protoc --cpp_out=DIR --nearcall_out=DIR [--nearcall_opt=services=SIDES]
           [--nearcall_opt=arenas=true] [--plugin=protoc-gen-nearcall=PATH] greet.proto

writes greet.nearcall.hpp and greet.nearcall.cpp, beside greet.pb.h and greet.pb.cc. SIDES is both (if
nothing is said), client, server or none; arenas=true has messages of unary calls on arenas. In CMake nearcall_add_proto() does all of it.

    --help       this text
    --version    the version
)";

}  // namespace

int main(int argc, char* argv[]) {
  const std::string_view option = argc == 2 ? argv[1] : "";
  if (option == "--help") return std::fputs(help, stdout) < 0 ? 1 : 0;
  if (option == "--version") return std::puts("protoc-gen-nearcall " NEARCALL_VERSION) < 0 ? 1 : 0;
  const nearcall::codegen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}

// SPDX-License-Identifier: Apache-2.0
// Options: what protoc was told to tell the plugin (`--nearcall_opt=services=client`).
#include "codegen/options.hpp"

#include <google/protobuf/compiler/code_generator.h>

#include <utility>
#include <vector>

namespace nearcall::codegen {

std::variant<Options, OptionError> parse_options(const std::string& parameter) {
  std::vector<std::pair<std::string, std::string>> pairs;
  google::protobuf::compiler::ParseGeneratorParameter(parameter, &pairs);
  Options options;
  for (const auto& [key, value] : pairs) {
    if (key == "arenas") {
      if (value != "true" && value != "false")
        return OptionError{"arenas=" + value + " is none of true, false"};
      options.has_arenas = value == "true";
      continue;
    }
    if (key != "services") {
      return OptionError{"unknown option \"" + key +
                         "\"; there are services=server|client|both|none and arenas=true|false"};
    }
    if (value != "server" && value != "client" && value != "both" && value != "none") {
      return OptionError{"services=" + value + " is none of server, client, both, none"};
    }
    options.has_client = value == "client" || value == "both";
    options.has_server = value == "server" || value == "both";
  }
  return options;
}

}  // namespace nearcall::codegen

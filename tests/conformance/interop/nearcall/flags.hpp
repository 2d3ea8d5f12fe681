// SPDX-License-Identifier: Apache-2.0
// The flags of the interop programs, as gRPC's contract has them: --name=value.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace interop {

/// What the command line says, or what is wrong with it.
class Flags {
 public:
  Flags(int argc, char** argv, std::initializer_list<std::string_view> known) {
    for (int i = 1; i < argc && error_.empty(); ++i)
      read(argv[i], known);
    if (get("use_tls").value_or("false") != "false") error_ = "--use_tls: there is no TLS here";
  }

  bool wants_help() const { return values_.contains("help"); }
  /// Empty if all is well.
  const std::string& error() const { return error_; }
  std::optional<std::string> get(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }

 private:
  void read(std::string_view argument, std::initializer_list<std::string_view> known) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const bool is_flag = name.starts_with("--");
    if (!is_flag || std::ranges::find(known, name.substr(2)) == known.end()) {
      error_ = "unknown argument " + std::string(argument);
    } else if (equals == std::string_view::npos && name != "--help") {
      error_ = std::string(name) + " needs a value: " + std::string(name) + "=…";
    } else {
      const bool has_value = equals != std::string_view::npos;
      values_[std::string(name.substr(2))] = has_value ? argument.substr(equals + 1) : "";
    }
  }

  std::map<std::string, std::string> values_;
  std::string error_;
};

/// The contract's --server_host and --server_port as a target of ours.
inline std::string tcp_target(const std::string& host, const std::string& port) {
  if (host == "localhost") return "ipv4:127.0.0.1:" + port;
  return host.find(':') == std::string::npos ? "ipv4:" + host + ":" + port
                                             : "ipv6:[" + host + "]:" + port;
}

inline constexpr const char* initial_key = "x-grpc-test-echo-initial";
inline constexpr const char* trailing_key = "x-grpc-test-echo-trailing-bin";
/// A failure with that message has a google.rpc.ErrorInfo of that reason.
inline constexpr const char* rich_message = "rich";
inline constexpr const char* rich_reason = "INTEROP";

}  // namespace interop

// SPDX-License-Identifier: Apache-2.0
// ReflectionTalk: what one client of the reflection service asks, and is answered.
#pragma once

#include "services/linked_files.hpp"

#include <nearcall/status.hpp>

#include <nearcall_contract/grpc/reflection/v1/reflection.pb.h>

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

namespace nearcall::inline v0::detail {

namespace reflection_wire = nearcall_contract::grpc::reflection::v1;

/// One call of ServerReflectionInfo: a request in, a response out. It remembers which files it has
/// sent, and does not send them again as what another file needs.
///
/// Thread safety: none.
class ReflectionTalk {
 public:
  using Request = reflection_wire::ServerReflectionRequest;
  using Response = reflection_wire::ServerReflectionResponse;

  /// No name that a program gives comes near; a response repeats its request.
  static constexpr std::size_t max_request = 4096;
  /// Bytes of files in one response: what one needs is left out from there on, and asked for by
  /// name. The file itself is always sent.
  static constexpr std::size_t max_files = std::size_t{64} * 1024;

  explicit ReflectionTalk(const LinkedFiles& files) noexcept : files_(&files) {}

  /// OK, or why the call ends.
  static Status check(const Request& request);
  /// `services` are those of the server.
  Response answer(Request&& request, const std::vector<std::string>& services);

 private:
  void send(const std::optional<LinkedFile>& file, std::string_view what, Response& response);
  void send_extensions(const std::string& type, Response& response);

  const LinkedFiles* files_;
  std::unordered_set<const google::protobuf::FileDescriptor*> sent_;
};

}  // namespace nearcall::inline v0::detail

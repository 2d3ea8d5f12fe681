// SPDX-License-Identifier: Apache-2.0
// A Unix socket has a policy and a file mode, which must agree; elsewhere nobody is checked.
#include "transport/listen_access.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0%03o", static_cast<unsigned>(mode));
  return text.data();
}

Failure<Status> refused(const std::string& address, const std::string& why) {
  return Failure{
      Status::failed_precondition(address + ": " + why).with_reason(StatusReason::misuse)};
}

/// The first group that the policy admits and the mode keeps out.
const gid_t* excluded_group(const ListenOptions& options) {
  const auto groups = options.policy().groups();
  if (options.policy().needs_socket_file() || (options.mode() & S_IWOTH) != 0) return nullptr;
  const gid_t of_file = options.group().value_or(::getegid());
  const bool lets_group_in = (options.mode() & S_IWGRP) != 0;
  const auto excluded = std::find_if(groups.begin(), groups.end(), [&](gid_t group) {
    return !lets_group_in || group != of_file;
  });
  return excluded == groups.end() ? nullptr : &*excluded;
}

/// The first user whom the policy admits and the mode keeps out. One in the group may be let in.
const uid_t* excluded_user(const ListenOptions& options) {
  const auto users = options.policy().users();
  if (options.policy().needs_socket_file() || (options.mode() & (S_IWGRP | S_IWOTH)) != 0) {
    return nullptr;
  }
  const auto excluded = std::find_if(users.begin(), users.end(),
                                     [](uid_t user) { return user != 0 && user != ::geteuid(); });
  return excluded == users.end() ? nullptr : &*excluded;
}

}  // namespace

Result<void> check_peers_without_credentials(const std::string& address, const PeerPolicy& policy) {
  if (!policy.needs_credentials()) return {};
  return refused(address,
                 "nobody vouches for who connects there; pass untrusted::anyone() to listen() if "
                 "everybody may");
}

Result<void> check_inherited_access(const InheritedSocket& socket, const PeerPolicy& policy) {
  if (!socket.is_unix()) return check_peers_without_credentials(socket.address(), policy);
  if (!policy.needs_socket_file() || socket.has_path()) return {};
  return refused(socket.address(), "PeerPolicy::by_file_mode() is for a socket that has a path");
}

Result<void> check_access(const Endpoint& endpoint, const ListenOptions& options) {
  const std::string address = endpoint.to_string();
  if ((options.mode() & ~static_cast<mode_t>(0777)) != 0) {
    return Failure{
        Status(StatusCode::invalid_argument, address + ": a mode has permission bits only (0777)")};
  }
  const PeerPolicy& policy = options.policy();
  if (endpoint.kind() != Endpoint::Kind::unix_path) {
    return check_peers_without_credentials(address, policy);
  }
  const std::string mode = "mode " + octal(options.mode());
  const std::string names = " \"" + policy.to_string() + "\"";
  if ((options.mode() & (S_IWGRP | S_IWOTH)) != 0 && policy.is_private()) {
    return refused(address, mode + " lets others connect, and the policy" + names +
                                " refuses them all; pass PeerPolicy::by_file_mode(), or "
                                "PeerPolicy::group() or user() with those who may");
  }
  if (const gid_t* const group = excluded_group(options)) {
    const std::string number = std::to_string(*group);
    return refused(address, "the policy" + names + " admits group " + number + ", which " + mode +
                                " keeps out; pass ListenOptions::mode(0660).group(" + number + ")");
  }
  if (const uid_t* const user = excluded_user(options)) {
    return refused(address, "the policy" + names + " admits user " + std::to_string(*user) +
                                ", which " + mode +
                                " keeps out; pass ListenOptions::mode(0666), or mode(0660) and a "
                                "group that the user is in");
  }
  return {};
}

}  // namespace nearcall::inline v0::detail

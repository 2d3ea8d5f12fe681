// SPDX-License-Identifier: Apache-2.0
// A Unix socket has a policy and a file mode, which must agree; elsewhere nobody is checked.
#include "transport/listen_access.hpp"

#include "base/log.hpp"

#include <nearcall/transport.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>

namespace nearcall::inline v0 {
namespace detail {
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

/// Whom the file of a socket lets connect.
struct FileAccess {
  mode_t mode;
  uid_t owner;
  gid_t group;
  /// What to pass so that this group is let in.
  std::string (*advice)(const std::string& group);

  bool lets_group_in() const noexcept { return (mode & S_IWGRP) != 0; }
  bool lets_others_in() const noexcept { return (mode & S_IWOTH) != 0; }
};

std::string options_for(const std::string& group) {
  return "ListenOptions::mode(0660).group(" + group + ")";
}

std::string unit_for(const std::string& group) {
  return "a socket of mode 0660 and group " + group +
         " (SocketMode= and SocketGroup= of a socket unit)";
}

/// The first group that the policy admits and the mode keeps out.
const gid_t* excluded_group(const FileAccess& file, std::span<const gid_t> groups) {
  const auto excluded = std::find_if(groups.begin(), groups.end(), [&file](gid_t group) {
    return !file.lets_group_in() || group != file.group;
  });
  return excluded == groups.end() ? nullptr : &*excluded;
}

/// The first user whom the policy admits and the mode keeps out. One in the group may be let in.
const uid_t* excluded_user(const FileAccess& file, std::span<const uid_t> users) {
  if (file.lets_group_in()) return nullptr;
  const auto excluded = std::find_if(
      users.begin(), users.end(), [&file](uid_t user) { return user != 0 && user != file.owner; });
  return excluded == users.end() ? nullptr : &*excluded;
}

/// Whom one of the two lets in and the other keeps out, and what to do; empty if there is nobody.
std::string conflict(const FileAccess& file, const PeerPolicy& policy) {
  const std::string mode = "mode " + octal(file.mode);
  const std::string name = "the policy \"" + policy.to_string() + "\"";
  if ((file.lets_group_in() || file.lets_others_in()) && policy.is_private()) {
    return mode + " lets others connect, and " + name +
           " refuses them all; pass PeerPolicy::by_file_mode(), or PeerPolicy::group() or user() "
           "with those who may";
  }
  if (policy.needs_socket_file() || file.lets_others_in()) return {};
  if (const gid_t* const group = excluded_group(file, policy.groups())) {
    const std::string number = std::to_string(*group);
    return name + " admits group " + number + ", which " + mode + " keeps out; pass " +
           file.advice(number);
  }
  if (const uid_t* const user = excluded_user(file, policy.users())) {
    return name + " admits user " + std::to_string(*user) + ", which " + mode +
           " keeps out; it takes mode 0666, or mode 0660 and a group that the user is in";
  }
  return {};
}

/// Nothing where the name leads nowhere, or nobody knows where (it was relative).
std::optional<FileAccess> access_of(const InheritedSocket& socket) {
  constexpr std::string_view scheme = "unix:";
  const std::string path = socket.has_path() ? socket.address().substr(scheme.size()) : "";
  struct stat file {};
  if (!path.starts_with('/') || ::stat(path.c_str(), &file) != 0) return std::nullopt;
  if (!S_ISSOCK(file.st_mode)) return std::nullopt;
  return FileAccess{file.st_mode & 07777U, file.st_uid, file.st_gid, unit_for};
}

}  // namespace

Result<void> check_peers_without_credentials(const std::string& address, const PeerPolicy& policy) {
  if (!policy.needs_credentials()) return {};
  return refused(address,
                 "nobody vouches for who connects there; pass untrusted::anyone() to listen() if "
                 "everybody may");
}

Result<void> check_own_peers(const std::string& address, const PeerPolicy& policy) {
  if (policy.admits(PeerIdentity::own(address, ::getpid()))) return {};
  return refused(address, "what connects there is our own, which the policy \"" +
                              policy.to_string() + "\" does not admit");
}

Result<void> check_access_without_path(const std::string& address,
                                       bool is_unix,
                                       const PeerPolicy& policy) {
  if (!is_unix) return check_peers_without_credentials(address, policy);
  if (!policy.needs_socket_file()) return {};
  return refused(address, "PeerPolicy::by_file_mode() is for a socket that has a path");
}

Result<void> check_inherited_access(const InheritedSocket& socket, const PeerPolicy& policy) {
  if (!socket.has_path()) {
    return check_access_without_path(socket.address(), socket.is_unix(), policy);
  }
  const std::optional<FileAccess> file = access_of(socket);
  const std::string problem = file ? conflict(*file, policy) : "";
  if (!problem.empty()) log(LogLevel::warning, socket.address(), ": ", problem);
  return {};
}

Result<void> check_access(const Endpoint& endpoint, const ListenOptions& options) {
  const std::string address = endpoint.to_string();
  if ((options.mode() & ~static_cast<mode_t>(0777)) != 0) {
    return Failure{
        Status(StatusCode::invalid_argument, address + ": a mode has permission bits only (0777)")};
  }
  const PeerPolicy& policy = options.policy();
  if (endpoint.kind() == Endpoint::Kind::inproc || endpoint.kind() == Endpoint::Kind::fifo) {
    return check_own_peers(address, policy);
  }
  if (endpoint.kind() != Endpoint::Kind::unix_path) {
    return check_peers_without_credentials(address, policy);
  }
  const gid_t group = options.group().value_or(::getegid());
  const std::string problem = conflict({options.mode(), ::geteuid(), group, options_for}, policy);
  if (!problem.empty()) return refused(address, problem);
  return {};
}

}  // namespace detail

Result<void> Listener::check_policy(const PeerPolicy& policy) const {
  if (policy.needs_socket_file()) {
    return detail::refused(address(),
                           "PeerPolicy::by_file_mode() is for Unix sockets that have a path; a "
                           "listener around one of ours passes on Listener::check_policy()");
  }
  if (knows_credentials()) return {};
  return detail::check_peers_without_credentials(address(), policy);
}

}  // namespace nearcall::inline v0

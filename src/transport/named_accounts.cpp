// SPDX-License-Identifier: Apache-2.0
// Policies by the names of users and groups.
#include "base/quote.hpp"
#include "transport/system_error.hpp"

#include <nearcall/peer_policy.hpp>

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nearcall::inline v0 {
namespace {

constexpr std::size_t first_buffer = 1024;
/// What the lists of a group's members may take.
constexpr std::size_t largest_buffer = std::size_t{64} * 1024 * 1024;

/// getpwnam_r(3) or getgrnam_r(3), which give the number of an error, or 0 and perhaps no entry.
template <class Entry>
using LookUp = int(const char* name, Entry* entry, char* buffer, std::size_t size, Entry** found);

/// The id of an entry.
template <class Entry>
Result<std::uint32_t> find_id(LookUp<Entry>& look_up,
                              std::uint32_t Entry::*id,
                              const std::string& name,
                              const std::string& subject) {
  int error = name.find('\0') == std::string::npos ? ERANGE : ENOENT;
  for (std::size_t size = first_buffer; error == ERANGE && size <= largest_buffer; size *= 2) {
    std::vector<char> buffer(size);
    Entry entry{};
    Entry* found = nullptr;
    do {
      error = look_up(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    } while (error == EINTR);
    if (found != nullptr) return entry.*id;
  }
  if (error == 0 || error == ENOENT || error == ESRCH) {
    return Status::not_found("there is no " + subject).with_reason(StatusReason::misuse);
  }
  return detail::system_status(StatusCode::unavailable, subject, "look up", error);
}

}  // namespace

Result<PeerPolicy> PeerPolicy::user(std::string_view name) {
  const auto uid = find_id<passwd>(::getpwnam_r, &passwd::pw_uid, std::string(name),
                                   detail::quote("user", name));
  if (!uid) return uid.error();
  return user(*uid);
}

Result<PeerPolicy> PeerPolicy::group(std::string_view name) {
  const auto gid = find_id<::group>(::getgrnam_r, &::group::gr_gid, std::string(name),
                                    detail::quote("group", name));
  if (!gid) return gid.error();
  return group(*gid);
}

}  // namespace nearcall::inline v0

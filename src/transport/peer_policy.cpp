// SPDX-License-Identifier: Apache-2.0
// Who may be on the other side, and why not.
#include "transport/overflow_id.hpp"

#include <nearcall/peer_policy.hpp>

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace nearcall::inline v0 {
namespace {

template <class Id>
void sort_each_once(std::vector<Id>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

PeerPolicy untrusted::anyone() {
  return PeerPolicy(PeerPolicy::anyone_rule);
}

PeerPolicy PeerPolicy::same_user() {
  return PeerPolicy(same_user_rule);
}

PeerPolicy PeerPolicy::root() {
  return PeerPolicy(root_rule);
}

PeerPolicy PeerPolicy::same_user_or_root() {
  return PeerPolicy(same_user_rule | root_rule);
}

PeerPolicy PeerPolicy::user(uid_t user) {
  PeerPolicy policy(0);
  policy.users_.push_back(user);
  return policy;
}

PeerPolicy PeerPolicy::group(gid_t group) {
  PeerPolicy policy(0);
  policy.groups_.push_back(group);
  return policy;
}

PeerPolicy PeerPolicy::by_file_mode() {
  return PeerPolicy(file_mode_rule);
}

PeerPolicy PeerPolicy::any_of(std::initializer_list<PeerPolicy> policies) {
  PeerPolicy all(0);
  for (const PeerPolicy& policy : policies) {
    all.rules_ |= policy.rules_;
    all.users_.insert(all.users_.end(), policy.users_.begin(), policy.users_.end());
    all.groups_.insert(all.groups_.end(), policy.groups_.begin(), policy.groups_.end());
  }
  sort_each_once(all.users_);
  sort_each_once(all.groups_);
  return all;
}

bool PeerPolicy::admits(const PeerIdentity& peer) const {
  if (has(anyone_rule)) return true;
  const auto is_listed = [this](uid_t user) {
    return std::binary_search(users_.begin(), users_.end(), user);
  };
  if (peer.is_own()) return has(same_user_rule) || (::geteuid() != 0 && is_listed(::geteuid()));
  if (!peer.has_credentials()) return false;
  if (has(file_mode_rule)) return true;
  if (has(root_rule) && peer.uid() == 0) return true;
  if (has(same_user_rule) && peer.uid() == ::geteuid() && !detail::may_be_any_user(peer.uid())) {
    return true;
  }
  if (is_listed(peer.uid()) && !detail::may_be_any_user(peer.uid())) return true;
  return std::any_of(groups_.begin(), groups_.end(), [&peer](gid_t group) {
    return peer.is_in_group(group) && !detail::may_be_any_group(group);
  });
}

bool PeerPolicy::is_private() const noexcept {
  if (has(file_mode_rule) || has(anyone_rule) || !groups_.empty()) return false;
  return std::all_of(users_.begin(), users_.end(),
                     [](uid_t user) { return user == 0 || user == ::geteuid(); });
}

std::string PeerPolicy::why_not(const PeerIdentity& peer) const {
  const std::string policy = " (" + to_string() + ")";
  if (peer.is_own()) return "what is this process's own is not admitted" + policy;
  if (!peer.has_credentials()) return "a peer without credentials is not admitted" + policy;
  std::string why = "uid " + std::to_string(peer.uid()) + " is not admitted" + policy;
  if (detail::may_be_any_user(peer.uid()) || detail::may_be_any_group(peer.gid())) {
    why +=
        ": its id may stand for anybody outside our user namespace, which according to "
        "/proc/self/uid_map or gid_map does not have all ids";
  }
  return why;
}

std::string PeerPolicy::to_string() const {
  std::string text;
  const auto add = [&text](std::string_view what) {
    text.append(text.empty() ? "" : " or ").append(what);
  };
  if (has(same_user_rule)) add("same user");
  if (has(root_rule)) add("root");
  for (const uid_t user : users_)
    add("user " + std::to_string(user));
  for (const gid_t group : groups_)
    add("group " + std::to_string(group));
  if (has(file_mode_rule)) add("whoever the file's mode lets in");
  if (has(anyone_rule)) add("anyone");
  return text.empty() ? "nobody" : text;
}

}  // namespace nearcall::inline v0

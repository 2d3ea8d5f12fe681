// SPDX-License-Identifier: Apache-2.0
// Ids that may stand for users and groups outside of our user namespace.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace nearcall::inline v0::detail {

/// Whether the kernel may show this uid in place of any user that our user namespace does not have
/// (user_namespaces(7): 65534, by default). Then it says nothing about who that is. In a namespace
/// that has all users, as the first one, it can only be the user of that number. Without /proc
/// nobody knows: yes.
bool may_be_any_user(uid_t uid);
/// The same for a gid.
bool may_be_any_group(gid_t gid);

/// Whether a map of /proc/self/uid_map's form has every id. Of user_namespaces(7): lines of "first
/// id inside, first id outside, how many".
bool maps_all_ids(std::string_view map);

}  // namespace nearcall::inline v0::detail

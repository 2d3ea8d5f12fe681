// SPDX-License-Identifier: Apache-2.0
// What was added to channelz, as long as it is there.
#include "services/channelz_book.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

template <class Shown>
using List = std::vector<std::shared_ptr<const Shown>>;

/// The lists are in the order of ids.
template <class Shown>
std::shared_ptr<const Shown> find_in(const List<Shown>& list, std::uint64_t id) {
  const auto found = std::ranges::lower_bound(list, id, {}, &Shown::id);
  return found != list.end() && (*found)->id == id ? *found : nullptr;
}

template <class Shown>
void drop_gone(List<Shown>& list) {
  std::erase_if(list, [](const auto& shown) { return !shown->view.is_there(); });
}

template <class Shown>
ChannelzBook::Page<Shown> page_of(const List<Shown>& list, std::uint64_t start, std::size_t most) {
  const auto first = std::ranges::lower_bound(list, start, {}, &Shown::id);
  const auto left = static_cast<std::size_t>(list.end() - first);
  const auto count = static_cast<std::ptrdiff_t>(std::min(left, most));
  return {List<Shown>(first, first + count), left > most};
}

}  // namespace

void ChannelzBook::add(ServerView view, std::string name) {
  const std::lock_guard lock(mutex_);
  drop_gone(servers_);
  last_id_ += ChannelzId::span;
  servers_.push_back(
      std::make_shared<const ShownServer>(ShownServer{last_id_, std::move(name), std::move(view)}));
}

std::shared_ptr<const ShownServer> ChannelzBook::server(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return id < 0 ? nullptr : find_in(servers_, static_cast<std::uint64_t>(id));
}

ChannelzBook::Page<ShownServer> ChannelzBook::servers(std::uint64_t start, std::size_t most) {
  const std::lock_guard lock(mutex_);
  drop_gone(servers_);
  return page_of(servers_, start, most);
}

}  // namespace nearcall::inline v0::detail

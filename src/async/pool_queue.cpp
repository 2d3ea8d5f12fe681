// SPDX-License-Identifier: Apache-2.0
// Shares of a pool's threads, and turns.
#include "async/pool_queue.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace nearcall::inline v0::detail {

PoolQueue::PoolQueue(std::size_t max_threads, std::size_t max_queued) noexcept
    : max_threads_(max_threads), max_queued_(max_queued) {
}

PoolQueue::~PoolQueue() = default;

void PoolQueue::add(PoolWork& work) {
  put(work, share_of(PoolClient()));
}

PoolQueue::Answer PoolQueue::try_add(PoolWork& work, PoolClient client) {
  const std::size_t places = free_places();
  if (places == 0) return Answer::full;
  Share& share = share_of(client);
  if (!may_have_more(share.threads + share.waiting_count, places)) return Answer::share_is_used;
  put(work, share);
  return Answer::taken;
}

void PoolQueue::put(PoolWork& work, Share& share) noexcept {
  work.note() = {&share, /*has_thread=*/false};
  if (share.waiting_count == 0 && may_have_thread(share)) return give_thread(work);
  share.waiting.push_back(work);
  ++share.waiting_count;
  ++waiting_;
  if (!share.is_linked()) turns_.push_back(share);
}

void PoolQueue::remove(PoolWork& work) noexcept {
  Share& share = *work.note().share;
  work.unlink();
  if (work.note().has_thread) {
    --ready_count_;
    return end(share);
  }
  --share.waiting_count;
  --waiting_;
  drop_if_unused(share);
}

PoolQueue::Next PoolQueue::next() noexcept {
  PoolWork* const work = ready_.pop_front();
  if (work == nullptr) return {};
  --ready_count_;
  return {work, work->note().share};
}

void PoolQueue::end(Share& share) noexcept {
  --share.threads;
  --with_thread_;
  give_free_thread();
  drop_if_unused(share);
}

// ---- threads ------------------------------------------------------------------------------------

std::size_t PoolQueue::free_places() const noexcept {
  const std::size_t all = max_threads_ + max_queued_;
  return all - std::min(all, with_thread_ + waiting_);
}

bool PoolQueue::may_have_thread(const Share& share) const noexcept {
  if (share.client.kind == PoolClient::Kind::program) return free_threads() > 0;
  return may_have_more(share.threads, free_threads());
}

void PoolQueue::give_thread(PoolWork& work) noexcept {
  work.note().has_thread = true;
  ++work.note().share->threads;
  ++with_thread_;
  ready_.push_back(work);
  ++ready_count_;
}

/// Who has its share is passed over: each has several of the threads, so these are few.
void PoolQueue::give_free_thread() noexcept {
  if (free_threads() == 0) return;
  IntrusiveList<Share> passed;
  while (Share* const share = turns_.pop_front()) {
    if (!may_have_thread(*share)) {
      passed.push_back(*share);
      continue;
    }
    PoolWork* const work = share->waiting.pop_front();
    --share->waiting_count;
    --waiting_;
    give_thread(*work);
    if (share->waiting_count > 0) turns_.push_back(*share);
    break;
  }
  while (Share* const share = passed.pop_front())
    turns_.push_back(*share);
}

// ---- shares -------------------------------------------------------------------------------------

PoolQueue::Share& PoolQueue::share_of(PoolClient client) {
  return shares_
      .emplace(std::piecewise_construct, std::forward_as_tuple(client),
               std::forward_as_tuple(client))
      .first->second;
}

void PoolQueue::drop_if_unused(Share& share) noexcept {
  if (share.waiting_count == 0) share.unlink();
  if (share.threads == 0 && share.waiting_count == 0) shares_.erase(shares_.find(share.client));
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// IntrusiveList: a queue whose members carry their own links, so joining and leaving cost nothing.
#pragma once

namespace nearcall::inline v0::detail {

/// A place in at most one list. Leaves it when destroyed.
class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  bool is_linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }

 protected:
  ~ListHook() { unlink(); }

 private:
  template <class T>
  friend class IntrusiveList;

  ListHook* previous_ = nullptr;
  ListHook* next_ = nullptr;
};

/// Members in the order in which they joined. T derives from ListHook. Owns nothing.
/// Thread safety: none.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { end_.previous_ = end_.next_ = &end_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
  }

  bool empty() const noexcept { return end_.next_ == &end_; }
  /// REQUIRES: in no list.
  void push_back(T& member) noexcept {
    ListHook& hook = member;
    hook.previous_ = end_.previous_;
    hook.next_ = &end_;
    hook.previous_->next_ = &hook;
    end_.previous_ = &hook;
  }
  /// Takes all members of `others`, behind its own.
  void append(IntrusiveList& others) noexcept {
    if (others.empty()) return;
    ListHook* const first = others.end_.next_;
    ListHook* const last = others.end_.previous_;
    others.end_.previous_ = others.end_.next_ = &others.end_;
    first->previous_ = end_.previous_;
    first->previous_->next_ = first;
    last->next_ = &end_;
    end_.previous_ = last;
  }
  /// visit(T&) for each member, the oldest first; it must not change the list.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (ListHook* hook = end_.next_; hook != &end_; hook = hook->next_)
      visit(static_cast<T&>(*hook));
  }
  /// The oldest, or null.
  T* front() const noexcept { return empty() ? nullptr : static_cast<T*>(end_.next_); }
  T* pop_front() noexcept {
    T* const first = front();
    if (first != nullptr) first->ListHook::unlink();
    return first;
  }
  /// The newest, or null.
  T* pop_back() noexcept {
    if (empty()) return nullptr;
    T* const last = static_cast<T*>(end_.previous_);
    last->ListHook::unlink();
    return last;
  }

 private:
  struct End : ListHook {};
  End end_;
};

}  // namespace nearcall::inline v0::detail

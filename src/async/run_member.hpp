// SPDX-License-Identifier: Apache-2.0
// RunMember: work in a queue that is a member function of whoever owns it.
#pragma once

#include "async/runnable.hpp"

#include <type_traits>

namespace nearcall::inline v0::detail {

template <class Owner>
Owner* owner_of(void (Owner::*)());

/// Calls `member` of its owner, or `dropped`, where there is one, if the queue goes first:
///
///     RunMember<&LoopDriver::go_on> go_on_{*this};
template <auto member, auto dropped = nullptr>
class RunMember final : public Runnable {
  using Pointer = decltype(owner_of(member));

 public:
  explicit RunMember(decltype(*Pointer()) owner) noexcept : owner_(&owner) {}
  void run() noexcept override { (owner_->*member)(); }
  void drop() noexcept override {
    if constexpr (!std::is_null_pointer_v<decltype(dropped)>) {
      (owner_->*dropped)();
    }
  }

 private:
  Pointer owner_;
};

}  // namespace nearcall::inline v0::detail

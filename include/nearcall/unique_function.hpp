// SPDX-License-Identifier: Apache-2.0
// UniqueFunction: a callable of any type that can be moved, std::move_only_function of C++23.
#pragma once

#include <nearcall/version.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

template <class T>
inline constexpr bool can_be_null = std::is_pointer_v<T> || std::is_member_pointer_v<T>;
template <class Signature>
inline constexpr bool can_be_null<std::function<Signature>> = true;

}  // namespace detail

template <class Signature>
class UniqueFunction;

/// Holds whatever can be called with `Arguments`, also what cannot be copied (a lambda that owns a
/// unique_ptr); empty by default, and after it was moved from. A function pointer or a
/// std::function that is null makes an empty one. One of three pointers at most is held without an
/// allocation.
///
/// Thread safety: that of what it holds.
template <class Return, class... Arguments>
class UniqueFunction<Return(Arguments...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}
  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, UniqueFunction> &&
           std::is_invocable_r_v<Return, std::decay_t<Callable>&, Arguments...>)
      UniqueFunction(Callable&& callable) {
    using Held = std::decay_t<Callable>;
    if constexpr (detail::can_be_null<Held>) {
      if (const Held& held = callable; held == nullptr) return;
    }
    if constexpr (is_small<Held>) {
      ::new (static_cast<void*>(memory_)) Held(std::forward<Callable>(callable));
      operations_ = &small_operations<Held>;
    } else {
      ::new (static_cast<void*>(memory_)) Held*(new Held(std::forward<Callable>(callable)));
      operations_ = &large_operations<Held>;
    }
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this == &other) return *this;
    clear();
    take(other);
    return *this;
  }
  ~UniqueFunction() { clear(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }
  /// REQUIRES: it is not empty.
  Return operator()(Arguments... arguments) {
    return operations_->call(memory_, std::forward<Arguments>(arguments)...);
  }

 private:
  struct Operations {
    Return (*call)(void* memory, Arguments&&... arguments);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void* memory) noexcept;
  };

  static constexpr std::size_t size = 3 * sizeof(void*);
  template <class Held>
  static constexpr bool is_small =
      sizeof(Held) <= size &&
      alignof(Held) <= alignof(void*) && std::is_nothrow_move_constructible_v<Held>;

  template <class Held>
  static Return call(Held& held, Arguments&&... arguments) {
    if constexpr (std::is_void_v<Return>) {
      std::invoke(held, std::forward<Arguments>(arguments)...);
    } else {
      return std::invoke(held, std::forward<Arguments>(arguments)...);
    }
  }
  template <class Held>
  static constexpr Operations small_operations = {
      [](void* memory, Arguments&&... arguments) -> Return {
        return call(*static_cast<Held*>(memory), std::forward<Arguments>(arguments)...);
      },
      [](void* from, void* to) noexcept {
        ::new (to) Held(std::move(*static_cast<Held*>(from)));
        std::destroy_at(static_cast<Held*>(from));
      },
      [](void* memory) noexcept { std::destroy_at(static_cast<Held*>(memory)); }};
  template <class Held>
  static constexpr Operations large_operations = {
      [](void* memory, Arguments&&... arguments) -> Return {
        return call(**static_cast<Held**>(memory), std::forward<Arguments>(arguments)...);
      },
      [](void* from, void* to) noexcept { ::new (to) Held*(*static_cast<Held**>(from)); },
      [](void* memory) noexcept { delete *static_cast<Held**>(memory); }};

  void take(UniqueFunction& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(other.memory_, memory_);
  }
  void clear() noexcept {
    if (const Operations* const held = std::exchange(operations_, nullptr)) held->destroy(memory_);
  }

  const Operations* operations_ = nullptr;
  alignas(void*) std::byte memory_[size];
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

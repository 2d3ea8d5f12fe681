// SPDX-License-Identifier: Apache-2.0
// Result<T, E>: a value, or the error why there is none.
#pragma once

#include <nearcall/status.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

struct Access;  // nearcall/access.hpp
/// Prints `what` and aborts: the program broke a REQUIRES.
[[noreturn]] void fail_precondition(const char* what) noexcept;
/// INTERNAL, and a log line, where an error was due and `status` is OK; else `status`.
Status as_error(Status status);
/// Errors of other types are never OK.
template <class E>
E as_error(E error) {
  return error;
}
}  // namespace detail

/// Wraps an error on its way into a Result: `return Failure{error};`.
template <class E>
class Failure {
 public:
  /// An OK status is no error: it becomes INTERNAL, and a log line says so.
  explicit Failure(E error) : error_(detail::as_error(std::move(error))) {}
  E& error() & noexcept { return error_; }
  E&& error() && noexcept { return std::move(error_); }

 private:
  E error_;
};

/// A value of type T, or an E that says why there is none.
///
/// Test it (`if (!result)`), then use `*result` or `result.error()`; the wrong one of the two
/// aborts. T and E must be movable without throwing. Thread safety: as its members.
template <class T, class E = Status>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T> && !std::is_same_v<T, E>);

 public:
  using value_type = T;
  using error_type = E;

  Result(T&& value) noexcept : has_value_(true) { std::construct_at(&value_, std::move(value)); }
  Result(const T& value) requires std::is_copy_constructible_v<T> : Result(T(value)) {}
  template <class F>
  requires std::is_constructible_v<E, F&&> Result(Failure<F> failure)
  noexcept : has_value_(false) { std::construct_at(&error_, std::move(failure).error()); }
  /// `return Status::not_found("…");`. An OK status is no value: it becomes INTERNAL, and a log
  /// line says so.
  Result(E error) noexcept requires std::is_same_v<E, Status> : has_value_(false) {
    std::construct_at(&error_, detail::as_error(std::move(error)));
  }
  /// What converts to a value: `co_return std::make_unique<MyTransport>(…);`.
  template <class U>
  requires(std::is_convertible_v<U, T> && !std::is_convertible_v<U, E> &&
           !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : has_value_(true) {
    std::construct_at(&value_, std::forward<U>(value));
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) { take(std::move(other)); }
  Result(const Result& other) : has_value_(other.has_value_) {
    if (has_value_) {
      std::construct_at(&value_, other.value_);
    } else {
      std::construct_at(&error_, other.error_);
    }
  }
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      clear();
      has_value_ = other.has_value_;
      take(std::move(other));
    }
    return *this;
  }
  Result& operator=(const Result& other) { return *this = Result(other); }
  ~Result() { clear(); }

  bool ok() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }

  T& value() & noexcept {
    require(has_value_);
    return value_;
  }
  const T& value() const& noexcept {
    require(has_value_);
    return value_;
  }
  T&& value() && noexcept {
    require(has_value_);
    return std::move(value_);
  }
  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

  E& error() & noexcept {
    require(!has_value_);
    return error_;
  }
  const E& error() const& noexcept {
    require(!has_value_);
    return error_;
  }
  E&& error() && noexcept {
    require(!has_value_);
    return std::move(error_);
  }
  /// OK, or the error.
  Status status() const requires std::is_same_v<E, Status> {
    return has_value_ ? Status() : error_;
  }

 private:
  static void require(bool held) noexcept {
    if (!held)
      detail::fail_precondition(
          "Result: value() of an error, or error() of a value; ask ok() first");
  }
  void take(Result&& other) noexcept {
    if (has_value_) {
      std::construct_at(&value_, std::move(other.value_));
    } else {
      std::construct_at(&error_, std::move(other.error_));
    }
  }
  void clear() noexcept {
    if (has_value_) {
      std::destroy_at(&value_);
    } else {
      std::destroy_at(&error_);
    }
  }

  bool has_value_;
  union {
    T value_;
    E error_;
  };
};

/// Success without a value, or an error. `return {};` is success, and so is an OK Status.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() noexcept : has_value_(true) {}
  template <class F>
  requires std::is_constructible_v<E, F&&> Result(Failure<F> failure)
  noexcept : has_value_(false) { std::construct_at(&error_, std::move(failure).error()); }
  /// `return Status::not_found("…");`, or what somebody else answered: OK is success.
  Result(E error) noexcept requires std::is_same_v<E, Status> : has_value_(error.ok()) {
    if (!has_value_) std::construct_at(&error_, std::move(error));
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (!has_value_) std::construct_at(&error_, std::move(other.error_));
  }
  Result(const Result& other) : has_value_(other.has_value_) {
    if (!has_value_) std::construct_at(&error_, other.error_);
  }
  Result& operator=(Result other) noexcept {
    std::destroy_at(this);
    return *std::construct_at(this, std::move(other));
  }
  ~Result() {
    if (!has_value_) std::destroy_at(&error_);
  }

  bool ok() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  E& error() & noexcept {
    if (has_value_) detail::fail_precondition("Result<void>: error() of a success; ask ok() first");
    return error_;
  }
  const E& error() const& noexcept {
    if (has_value_) detail::fail_precondition("Result<void>: error() of a success; ask ok() first");
    return error_;
  }
  E&& error() && noexcept {
    if (has_value_) detail::fail_precondition("Result<void>: error() of a success; ask ok() first");
    return std::move(error_);
  }
  /// OK, or the error.
  Status status() const requires std::is_same_v<E, Status> {
    return has_value_ ? Status() : error_;
  }

 private:
  bool has_value_;
  union {
    char none_;
    E error_;
  };
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop

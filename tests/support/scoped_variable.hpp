// SPDX-License-Identifier: Apache-2.0
// ScopedVariable: a variable of the environment, for a scope.
#pragma once

#include <stdlib.h>

#include <optional>
#include <string>

namespace nearcall::test {

/// Gives a variable of the environment another value, or none (null), and then its old one again.
/// The process has one environment, so: no other threads that look at it.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* const before = ::getenv(name)) before_ = before;
    set(value);
  }
  ~ScopedVariable() { set(before_ ? before_->c_str() : nullptr); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      ::unsetenv(name_);
    } else {
      ::setenv(name_, value, /*overwrite=*/1);
    }
  }

  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace nearcall::test

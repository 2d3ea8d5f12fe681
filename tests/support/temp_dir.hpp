// SPDX-License-Identifier: Apache-2.0
// TempDir: a directory of a test's own, gone at its end.
#pragma once

#include <string>
#include <string_view>

namespace nearcall::test {

/// A new directory that only we can enter, removed with all that is in it. Its path is short
/// ("/tmp/nc-a1B2c3"), as socket paths must be. Thread safety: none.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const noexcept { return path_; }
  /// The path of `name` in it.
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace nearcall::test

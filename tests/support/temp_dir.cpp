// SPDX-License-Identifier: Apache-2.0
// Making and removing of temporary directories.
#include "support/temp_dir.hpp"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

namespace nearcall::test {

TempDir::TempDir() : path_("/tmp/nc-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace nearcall::test

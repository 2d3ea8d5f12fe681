// SPDX-License-Identifier: Apache-2.0
// Names of pipes as .NET 10 resolves them on Unix, and those that it refuses.
#include "transport/named_pipe.hpp"

#include "support/scoped_variable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

/// Or why there is none.
std::string path_of(std::string_view name) {
  const Result<std::string> path = named_pipe_path(name);
  return path ? *path : path.error().message();
}

TEST(NamedPipe, LiesInTheTempDirectory) {
  const std::vector<std::pair<const char*, std::string>> directories{
      {nullptr, "/tmp/CoreFxPipe_x"},          {"", "/tmp/CoreFxPipe_x"},
      {"/run/mine", "/run/mine/CoreFxPipe_x"}, {"/run/mine/", "/run/mine/CoreFxPipe_x"},
      {"here", "here/CoreFxPipe_x"},
  };
  for (const auto& [directory, path] : directories) {
    const test::ScopedVariable temp("TMPDIR", directory);

    EXPECT_EQ(path_of("x"), path);
  }
}

TEST(NamedPipe, MayHaveAnyBytesButASlashAndNul) {
  const test::ScopedVariable temp("TMPDIR", "/t");

  EXPECT_EQ(path_of("a b%20?\\:\xff"), "/t/CoreFxPipe_a b%20?\\:\xff");
  EXPECT_EQ(path_of("anonymous2"), "/t/CoreFxPipe_anonymous2");
}

TEST(NamedPipe, OfAnAbsolutePathIsThatPath) {
  EXPECT_EQ(path_of("/run/mine/x.sock"), "/run/mine/x.sock");
}

TEST(NamedPipe, IsRefusedWhereDotNetRefusesIt) {
  const std::vector<std::pair<std::string, std::string>> names{
      {"", "the name of the pipe is empty"},
      {std::string("a\0b", 3), "the name of the pipe contains a NUL byte"},
      {"a/b", "the name of the pipe contains a '/', and is no absolute path"},
      {"/run/", "the path of the pipe names a directory"},
      {"anonymous", "\"anonymous\" is reserved by .NET"},
      {"Anonymous", "\"anonymous\" is reserved by .NET"},
  };
  for (const auto& [name, why] : names) {
    EXPECT_FALSE(named_pipe_path(name)) << name;
    EXPECT_EQ(path_of(name), why);
  }
}

TEST(NamedPipe, OfAHostIsRefusedWithWhatToWriteInstead) {
  const std::vector<std::pair<std::string, std::string>> names{
      {"//host/x", "npipe:x"},
      {"//./pipe/x", "npipe:x"},
      {"////./pipe/x", "npipe:x"},  // as Docker has it
      {"//x", "npipe:x"},
      {"//host/x\n\x1b[2J", R"(npipe:x\x0a\x1b[2J)"},
      {"//host/" + std::string(65, 'x'), "npipe:" + std::string(64, 'x') + "..."},
      {"//host/", "npipe:name"},
      {"//", "npipe:name"},
  };
  for (const auto& [name, instead] : names) {
    EXPECT_FALSE(named_pipe_path(name)) << name;
    EXPECT_EQ(path_of(name), "pipes are of this machine, without a host or \"//\": write " +
                                 instead + ", or npipe:/absolute/path");
  }
  EXPECT_EQ(path_of("///run/x"), "/run/x") << "a URL without a host";
}

}  // namespace
}  // namespace nearcall::inline v0::detail

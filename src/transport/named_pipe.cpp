// SPDX-License-Identifier: Apache-2.0
// PipeStream.GetPipePath() of .NET, for Unix.
#include "transport/named_pipe.hpp"

#include <strings.h>

#include <cstdlib>

namespace nearcall::inline v0::detail {
namespace {

/// A program that runs with more rights than its caller does not take directories from him.
std::string temp_directory() {
  const char* const named = ::secure_getenv("TMPDIR");
  std::string directory = named == nullptr || *named == '\0' ? "/tmp/" : named;
  if (!directory.ends_with('/')) directory += '/';
  return directory;
}

}  // namespace

Result<std::string> named_pipe_path(std::string_view name) {
  const auto wrong = [](const char* why) { return Status::invalid_argument(why); };
  std::string text(name);
  if (text.empty()) return wrong("the name of the pipe is empty");
  if (text.find('\0') != std::string::npos)
    return wrong("the name of the pipe contains a NUL byte");
  if (text.starts_with('/')) {
    if (text.ends_with('/')) return wrong("the path of the pipe names a directory");
    return text;
  }
  if (text.find('/') != std::string::npos) {
    return wrong("the name of the pipe contains a '/', and is no absolute path");
  }
  if (::strcasecmp(text.c_str(), "anonymous") == 0) {
    return wrong("\"anonymous\" is reserved by .NET");
  }
  return temp_directory() + "CoreFxPipe_" + text;
}

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// PipeStream.GetPipePath() of .NET, for Unix.
#include "transport/named_pipe.hpp"

#include "base/quote.hpp"

#include <strings.h>

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// A program that runs with more rights than its caller does not take directories from him.
std::string temp_directory() {
  const char* const named = ::secure_getenv("TMPDIR");
  std::string directory = named == nullptr || *named == '\0' ? "/tmp/" : named;
  if (!directory.ends_with('/')) directory += '/';
  return directory;
}

/// `text` without the "//" of a URL that has no host.
std::string_view without_empty_host(std::string_view text) noexcept {
  if (text.starts_with("///") && !text.starts_with("////")) text.remove_prefix(2);
  return text;
}

/// For a name as of a URL with a host, or as of Windows: //./pipe/name.
Status has_host(std::string_view text) {
  const std::string_view name = text.substr(text.rfind('/') + 1);
  std::string why = "pipes are of this machine, without a host or \"//\": write npipe:";
  constexpr std::size_t most = 64;
  why.append(name.empty() ? "name" : escaped(name, most)).append(", or npipe:/absolute/path");
  return Status::invalid_argument(std::move(why));
}

}  // namespace

Result<std::string> named_pipe_path(std::string_view name) {
  const auto wrong = [](const char* why) { return Status::invalid_argument(why); };
  const std::string text(without_empty_host(name));
  if (text.empty()) return wrong("the name of the pipe is empty");
  if (text.find('\0') != std::string::npos)
    return wrong("the name of the pipe contains a NUL byte");
  if (text.starts_with("//")) return has_host(text);
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

// SPDX-License-Identifier: Apache-2.0
// Where .NET has its named pipes on Unix.
#pragma once

#include <nearcall/result.hpp>

#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// The path of the Unix socket that NamedPipeServerStream and NamedPipeClientStream use for `name`:
/// "CoreFxPipe_" and the name, in the directory that Path.GetTempPath() gives (TMPDIR, else /tmp).
/// An absolute path is the path itself. INVALID_ARGUMENT says what is wrong with a name that
/// .NET refuses, too.
Result<std::string> named_pipe_path(std::string_view name);

}  // namespace nearcall::inline v0::detail

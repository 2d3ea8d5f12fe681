// SPDX-License-Identifier: Apache-2.0
// A command as it is written, and the words that it has.
#pragma once

#include <nearcall/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// The words of a command, by the quoting rules of POSIX (the Shell Command Language, section 2.2):
/// blanks and newlines part words; `'…'` is taken as it is; in `"…"` a backslash escapes `$`, a
/// backquote, `"`, `\` and a newline, elsewhere whatever follows, of which a newline goes with it.
///
/// Nothing else has a meaning: no variable, pattern, `~`, comment or operator. The error says what
/// is wrong: a quote that does not end, a backslash at the end, no word.
Result<std::vector<std::string>, std::string> split_command(std::string_view text);

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// The few text tools that generated code is written with: templates, blocks, wrapped signatures.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::codegen {

/// Lines are not longer, where names permit.
inline constexpr std::size_t max_columns = 100;

/// What stands for each `$name$` of a template.
using Values = std::map<std::string, std::string, std::less<>>;

/// Replaces each `$name$` of `text`, whose first newline is dropped (raw strings begin with one).
///
/// A placeholder alone on its line gives its indentation to every line of its value, and the line
/// goes away if the value is empty. REQUIRES: every name has a value.
std::string fill(std::string_view text, const Values& values);

/// The blocks that are not empty, each ending with a newline, with `separator` between them.
std::string join(const std::vector<std::string>& blocks, std::string_view separator);

/// One line, or several if it is too long: `type name(arguments)tail`.
struct Signature {
  /// May be empty.
  std::string type;
  std::string name;
  std::vector<std::string> arguments;
  std::string tail;
};

/// Writes a signature that starts in column `indent`; further lines are indented from there.
std::string wrap(const Signature& signature, std::size_t indent);

/// `name<A, B>` with a line for each of A and B if it is too long for one line.
std::string wrap_types(const std::string& name, std::size_t indent);

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// Quoting as in a shell, and nothing else of one.
#include "transport/command_line.hpp"

#include <cstddef>
#include <optional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::string_view blanks = " \t\n";
/// What a backslash escapes between double quotes; before anything else it is one.
constexpr std::string_view escapable_when_quoted = "$`\"\\\n";

using Problem = std::optional<std::string>;

/// Reads one word after the other.
class WordReader {
 public:
  explicit WordReader(std::string_view text) noexcept : rest_(text) {}

  /// Whether there is another word, behind the blanks before it.
  bool skip_to_word() noexcept {
    const std::size_t start = rest_.find_first_not_of(blanks);
    rest_.remove_prefix(start == std::string_view::npos ? rest_.size() : start);
    return !rest_.empty();
  }
  /// Adds it to `word`.
  Problem read(std::string& word) {
    Problem problem;
    while (!problem && !rest_.empty() && blanks.find(rest_.front()) == std::string_view::npos) {
      const char c = take();
      if (c == '\'') {
        problem = read_single_quoted(word);
      } else if (c == '"') {
        problem = read_double_quoted(word);
      } else if (c == '\\') {
        problem = read_escaped(word);
      } else {
        word += c;
      }
    }
    return problem;
  }

 private:
  char take() noexcept {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  Problem read_single_quoted(std::string& word) {
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return "a ' has no other one that ends it";
    word += rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return std::nullopt;
  }
  Problem read_double_quoted(std::string& word) {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '"') return std::nullopt;
      const bool is_escape = c == '\\' && !rest_.empty() &&
                             escapable_when_quoted.find(rest_.front()) != std::string_view::npos;
      if (!is_escape) {
        word += c;
      } else if (const char escaped = take(); escaped != '\n') {
        word += escaped;
      }
    }
    return "a \" has no other one that ends it";
  }
  Problem read_escaped(std::string& word) {
    if (rest_.empty()) return "a backslash at the end escapes nothing";
    if (const char escaped = take(); escaped != '\n') word += escaped;
    return std::nullopt;
  }

  std::string_view rest_;
};

}  // namespace

Result<std::vector<std::string>, std::string> split_command(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    return Failure{std::string("the command contains a NUL byte")};
  }
  std::vector<std::string> words;
  WordReader reader(text);
  while (reader.skip_to_word()) {
    std::string word;
    if (Problem problem = reader.read(word)) return Failure{*std::move(problem)};
    words.push_back(std::move(word));
  }
  if (words.empty() || words.front().empty()) {
    return Failure{std::string("the command is empty")};
  }
  return words;
}

}  // namespace nearcall::inline v0::detail

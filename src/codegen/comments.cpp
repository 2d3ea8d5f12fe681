// SPDX-License-Identifier: Apache-2.0
// Comments of a .proto as `///` comments.
#include "codegen/comments.hpp"

#include "codegen/text_template.hpp"

#include <google/protobuf/descriptor.h>

#include <cstddef>

namespace nearcall::codegen {
namespace {

namespace pb = google::protobuf;

void trim_end(std::string_view& text, std::string_view characters) {
  const std::size_t last = text.find_last_not_of(characters);
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// A backslash at the end of a line would make the next line, which is code, part of the comment.
bool joins_next_line(std::string_view line) {
  return line.ends_with('\\') || line.ends_with("?\?/");
}

template <class Declaration>
std::string comment_of_declaration(const Declaration& declaration) {
  pb::SourceLocation location;
  if (!declaration.GetSourceLocation(&location)) return {};
  return join({doc_comment(location.leading_comments), doc_comment(location.trailing_comments)},
              "///\n");
}

}  // namespace

std::string doc_comment(std::string_view text) {
  trim_end(text, " \t\r\n\v\f");
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    trim_end(line, " \t\r\v\f");
    out += "///";
    if (!line.empty() && line.front() != ' ') out += ' ';
    out += line;
    if (joins_next_line(line)) out += " .";
    out += '\n';
  }
  return out;
}

std::string comment_of(const pb::ServiceDescriptor& service) {
  return comment_of_declaration(service);
}

std::string comment_of(const pb::MethodDescriptor& method) {
  return comment_of_declaration(method);
}

}  // namespace nearcall::codegen

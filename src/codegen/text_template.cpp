// SPDX-License-Identifier: Apache-2.0
// The few text tools that generated code is written with: templates, blocks, wrapped signatures.
#include "codegen/text_template.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace nearcall::codegen {
namespace {

constexpr std::string_view continuation = "    ";

const std::string& value_of(std::string_view name, const Values& values) {
  const auto found = values.find(name);
  if (found == values.end()) {
    std::fprintf(stderr, "protoc-gen-nearcall: template without a value for \"%.*s\"\n",
                 static_cast<int>(name.size()), name.data());
    std::abort();
  }
  return found->second;
}

/// The text up to the next newline, which is taken off `rest` too.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

/// The name of the placeholder that is alone on `line`, or nothing.
std::string_view lone_placeholder(std::string_view line) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  const std::string_view word = line.substr(start);
  if (word.size() < 3 || word.front() != '$' || word.find('$', 1) != word.size() - 1) return {};
  return word.substr(1, word.size() - 2);
}

void append_indented(std::string& out, std::string_view indent, std::string_view block) {
  while (!block.empty()) {
    const std::string_view line = take_line(block);
    if (!line.empty()) out.append(indent).append(line);
    out += '\n';
  }
}

void append_filled(std::string& out, std::string_view line, const Values& values) {
  while (true) {
    const std::size_t start = line.find('$');
    const std::size_t end =
        start == std::string_view::npos ? std::string_view::npos : line.find('$', start + 1);
    if (end == std::string_view::npos) break;
    out.append(line.substr(0, start));
    out.append(value_of(line.substr(start + 1, end - start - 1), values));
    line.remove_prefix(end + 1);
  }
  out.append(line);
  out += '\n';
}

std::string last_line(const std::string& text) {
  const std::size_t newline = text.rfind('\n');
  return newline == std::string::npos ? text : text.substr(newline + 1);
}

bool fits(const std::string& line, std::size_t indent) {
  return indent + line.size() <= max_columns;
}

std::string joined_arguments(const Signature& signature) {
  std::string line;
  for (const std::string& argument : signature.arguments) {
    if (!line.empty()) line += ", ";
    line += argument;
  }
  return line;
}

}  // namespace

std::string fill(std::string_view text, const Values& values) {
  if (text.starts_with('\n')) text.remove_prefix(1);
  std::string out;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::string_view name = lone_placeholder(line);
    if (name.empty()) {
      append_filled(out, line, values);
    } else {
      append_indented(out, line.substr(0, line.find('$')), value_of(name, values));
    }
  }
  return out;
}

std::string join(const std::vector<std::string>& blocks, std::string_view separator) {
  std::string out;
  for (const std::string& block : blocks) {
    if (block.empty()) continue;
    if (!out.empty()) out.append(separator);
    out.append(block);
    if (!block.ends_with('\n')) out += '\n';
  }
  return out;
}

std::string wrap(const Signature& signature, std::size_t indent) {
  std::string start = signature.type;
  if (!start.empty()) {
    const bool is_short = fits(start + " " + signature.name + "(", indent);
    start = is_short ? start + " " : wrap_types(start, indent) + "\n";
  }
  start += fits(last_line(start) + signature.name + "(", indent)
               ? signature.name
               : wrap_types(signature.name, indent);
  start += '(';
  const std::string all = joined_arguments(signature) + ")" + signature.tail;
  if (fits(last_line(start) + all, indent)) return start + all;
  start += "\n";
  if (fits(std::string(continuation) + all, indent)) return start.append(continuation) + all;

  for (const std::string& argument : signature.arguments) {
    if (&argument != &signature.arguments.front()) start += ",\n";
    start.append(continuation).append(argument);
  }
  return start + ")" + signature.tail;
}

std::string wrap_types(const std::string& name, std::size_t indent) {
  if (fits(name, indent)) return name;
  std::string out;
  bool is_inside = false;
  for (const char c : name) {
    if (is_inside && c == ' ' && out.ends_with(',')) {
      out.append("\n").append(continuation);
      continue;
    }
    out += c;
    if (c == '<' && !is_inside) {
      out.append("\n").append(continuation);
      is_inside = true;
    }
  }
  return out;
}

}  // namespace nearcall::codegen

// SPDX-License-Identifier: Apache-2.0
// The pool under two names: what it does not know as it is, may be a contract of ours.
#include "services/linked_files.hpp"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::Message;

// v1alpha and v1 differ in the name alone.
constexpr ContractName contracts[] = {
    {"grpc.reflection.v1alpha", "nearcall_contract.grpc.reflection.v1"},
    {"grpc", "nearcall_contract.grpc"},
};

/// The name of a package as part of a file's path.
std::string as_path(std::string_view package) {
  std::string path(package);
  std::ranges::replace(path, '.', '/');
  return path;
}

/// `name` with `to` instead of the `from` that it begins with; nothing if it does not. A part ends
/// at `separator`.
std::optional<std::string> moved(std::string_view name,
                                 std::string_view from,
                                 std::string_view to,
                                 char separator) {
  if (!name.starts_with(from)) return std::nullopt;
  const std::string_view rest = name.substr(from.size());
  if (!rest.empty() && rest.front() != separator) return std::nullopt;
  return std::string(to).append(rest);
}

/// `find` of the name as it is, or as a contract has it linked.
template <class Find>
auto find_linked(const std::string& name, char separator, Find find)
    -> std::pair<decltype(find(name)), const ContractName*> {
  if (const auto found = find(name)) return {found, nullptr};
  for (const ContractName& contract : contracts) {
    const bool is_path = separator == '/';
    const auto linked =
        moved(name, is_path ? as_path(contract.shown) : std::string(contract.shown),
              is_path ? as_path(contract.linked) : std::string(contract.linked), separator);
    if (!linked) continue;
    if (const auto found = find(*linked)) return {found, &contract};
  }
  return {nullptr, nullptr};
}

/// A text of a descriptor (".linked.Type", "linked.package", "linked/file.proto") as it is shown.
std::string shown(const std::string& text, const ContractName& contract) {
  const bool has_dot = text.starts_with('.');
  const std::string_view name = std::string_view(text).substr(has_dot ? 1 : 0);
  if (const auto symbol = moved(name, contract.linked, contract.shown, '.'))
    return (has_dot ? "." : "") + *symbol;
  return moved(name, as_path(contract.linked), as_path(contract.shown), '/').value_or(text);
}

/// The same with all texts of a descriptor. As deep as our own contracts are.
void show_all(Message& message, const ContractName& contract) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!is_message && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
    if (!field->is_repeated()) {
      if (is_message) {
        show_all(*reflection.MutableMessage(&message, field), contract);
      } else {
        const std::string text = shown(reflection.GetString(message, field), contract);
        reflection.SetString(&message, field, text);
      }
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (is_message) {
        show_all(*reflection.MutableRepeatedMessage(&message, field, i), contract);
      } else {
        const std::string text = shown(reflection.GetRepeatedString(message, field, i), contract);
        reflection.SetRepeatedString(&message, field, i, text);
      }
    }
  }
}

std::optional<LinkedFile> file_if(const FileDescriptor* file, const ContractName* contract) {
  if (file == nullptr) return std::nullopt;
  return LinkedFile{file, contract};
}

}  // namespace

std::string LinkedFile::serialize() const {
  FileDescriptorProto file;
  descriptor->CopyTo(&file);
  if (contract != nullptr) show_all(file, *contract);
  return file.SerializeAsString();
}

std::optional<LinkedFile> LinkedFiles::by_name(const std::string& name) const {
  const auto [file, contract] = find_linked(
      name, '/', [this](const std::string& linked) { return pool_->FindFileByName(linked); });
  return file_if(file, contract);
}

std::optional<LinkedFile> LinkedFiles::containing_symbol(const std::string& symbol) const {
  const auto [file, contract] = find_linked(symbol, '.', [this](const std::string& linked) {
    return pool_->FindFileContainingSymbol(linked);
  });
  return file_if(file, contract);
}

std::optional<LinkedFile> LinkedFiles::containing_extension(const std::string& type,
                                                            int number) const {
  const Descriptor* extended = pool_->FindMessageTypeByName(type);
  if (extended == nullptr) return std::nullopt;
  const FieldDescriptor* extension = pool_->FindExtensionByNumber(extended, number);
  return file_if(extension == nullptr ? nullptr : extension->file(), nullptr);
}

std::optional<LinkedExtensions> LinkedFiles::extensions_of(const std::string& type) const {
  const auto found = find_linked(type, '.', [this](const std::string& linked) {
    return pool_->FindMessageTypeByName(linked);
  });
  if (found.first == nullptr) return std::nullopt;
  std::vector<const FieldDescriptor*> extensions;
  pool_->FindAllExtensions(found.first, &extensions);
  LinkedExtensions all{type, {}};
  for (const FieldDescriptor* extension : extensions)
    all.numbers.push_back(extension->number());
  std::ranges::sort(all.numbers);
  return all;
}

}  // namespace nearcall::inline v0::detail

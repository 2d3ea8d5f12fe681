// SPDX-License-Identifier: Apache-2.0
// LinkedFiles: the descriptors that the program has linked, under the names that peers know.
#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// A package of a contract of ours: what peers know it by, and what it is linked as (so that a
/// program may link another copy of it).
struct ContractName {
  std::string_view shown;
  std::string_view linked;
};

/// A file, and how it is shown if that differs from how it is linked.
struct LinkedFile {
  const google::protobuf::FileDescriptor* descriptor = nullptr;
  const ContractName* contract = nullptr;

  /// A FileDescriptorProto.
  std::string serialize() const;
};

/// What a type's extensions are.
struct LinkedExtensions {
  std::string type;
  std::vector<int> numbers;
};

/// Looks in a pool of descriptors, as a rule that of generated code. Names are those that peers
/// know.
///
/// Thread safety: any thread.
class LinkedFiles {
 public:
  explicit LinkedFiles(const google::protobuf::DescriptorPool& pool) noexcept : pool_(&pool) {}

  std::optional<LinkedFile> by_name(const std::string& name) const;
  /// Of a service, a method, a message, a field, …: the full name, without a leading dot.
  std::optional<LinkedFile> containing_symbol(const std::string& symbol) const;
  std::optional<LinkedFile> containing_extension(const std::string& type, int number) const;
  std::optional<LinkedExtensions> extensions_of(const std::string& type) const;

 private:
  const google::protobuf::DescriptorPool* pool_;
};

}  // namespace nearcall::inline v0::detail

// SPDX-License-Identifier: Apache-2.0
// What things of a .proto are called in C++.
#include "codegen/names.hpp"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>

namespace nearcall::codegen {
namespace {

namespace pb = google::protobuf;
namespace pb_cpp = google::protobuf::compiler::cpp;

/// The keywords of C++20 and GNU C++, and macros that common C headers define; each between blanks.
constexpr std::string_view keywords =
    " "
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t "
    "char32_t char8_t class co_await co_return co_yield compl concept const const_cast "
    "consteval constexpr constinit continue decltype default delete do double dynamic_cast else "
    "enum explicit export extern false float for friend goto if inline int long mutable "
    "namespace new noexcept not not_eq nullptr operator or or_eq private protected public "
    "register reinterpret_cast requires return short signed sizeof static static_assert "
    "static_cast struct switch template this thread_local throw true try typedef typeid "
    "typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq "
    "EOF NULL assert errno linux major makedev minor offsetof stderr stdin stdout unix ";

/// Members of the class of a service, which may not be called like one of them.
constexpr auto members_of_services = std::to_array<std::string_view>(
    {"BlockingService", "Client", "ClientInterface", "Service", "full_name"});
/// The classes that methods are members of, and what else is declared in these.
constexpr auto members_of_methods =
    std::to_array<std::string_view>({"BlockingService", "Client", "ClientInterface", "Service"});

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The positions of `names`, shorter names first: who is renamed must not depend on the order in
/// the file, and `Foo` comes before `FooAsync`.
std::vector<std::size_t> in_fixed_order(const std::vector<std::string>& names) {
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&names](std::size_t a, std::size_t b) {
    if (names[a].size() != names[b].size()) return names[a].size() < names[b].size();
    return names[a] < names[b];
  });
  return order;
}

void collect(const pb::EnumDescriptor& type, std::set<std::string>& names) {
  names.insert(pb_cpp::ClassName(&type));
  const bool is_nested = type.containing_type() != nullptr;
  const std::string prefix = is_nested ? pb_cpp::ClassName(&type) + "_" : "";
  for (int i = 0; i < type.value_count(); ++i) {
    names.insert(prefix + pb_cpp::EnumValueName(type.value(i)));
  }
}

void collect(const pb::Descriptor& message, std::set<std::string>& names) {
  names.insert(pb_cpp::ClassName(&message));
  for (int i = 0; i < message.nested_type_count(); ++i)
    collect(*message.nested_type(i), names);
  for (int i = 0; i < message.enum_type_count(); ++i)
    collect(*message.enum_type(i), names);
}

void collect(const pb::FileDescriptor& file, std::set<std::string>& names) {
  for (int i = 0; i < file.message_type_count(); ++i)
    collect(*file.message_type(i), names);
  for (int i = 0; i < file.enum_type_count(); ++i)
    collect(*file.enum_type(i), names);
  if (!file.options().cc_generic_services()) return;
  for (int i = 0; i < file.service_count(); ++i) {
    names.insert(file.service(i)->name());
    names.insert(file.service(i)->name() + "_Stub");
  }
}

void collect_with_imports(const pb::FileDescriptor& file,
                          const std::string& package,
                          std::set<const pb::FileDescriptor*>& seen,
                          std::set<std::string>& names) {
  if (!seen.insert(&file).second) return;
  if (file.package() == package) collect(file, names);
  for (int i = 0; i < file.dependency_count(); ++i) {
    collect_with_imports(*file.dependency(i), package, seen, names);
  }
}

}  // namespace

std::string file_stem(const pb::FileDescriptor& file) {
  return pb_cpp::StripProto(file.name());
}

std::string cpp_namespace(const pb::FileDescriptor& file) {
  if (file.package().empty()) return {};
  // protobuf has no public function for this, but it has one for messages: ask for one that would
  // be in that package, so that both always agree.
  pb::FileDescriptorProto probe;
  probe.set_name("probe.proto");
  probe.set_package(file.package());
  probe.add_message_type()->set_name("Probe");
  pb::DescriptorPool pool;
  const std::string name = cpp_message(*pool.BuildFile(probe)->message_type(0));
  constexpr std::size_t before = std::string_view("::").size();
  constexpr std::size_t behind = std::string_view("::Probe").size();
  return name.substr(before, name.size() - before - behind);
}

std::string cpp_message(const pb::Descriptor& message) {
  std::string name = pb_cpp::QualifiedClassName(&message);
  return name.starts_with("::") ? name : "::" + name;
}

bool is_keyword(std::string_view name) {
  return keywords.find(" " + std::string(name) + " ") != std::string_view::npos;
}

std::set<std::string> names_by_protobuf(const pb::FileDescriptor& file) {
  std::set<const pb::FileDescriptor*> seen;
  std::set<std::string> names;
  collect_with_imports(file, file.package(), seen, names);
  // Without a package our class would stand beside the namespaces that its code speaks of.
  if (file.package().empty()) names.insert({"google", "nearcall", "std"});
  return names;
}

std::vector<std::string> service_names(const std::vector<std::string>& names,
                                       const std::set<std::string>& taken) {
  std::set<std::string> used = taken;
  std::vector<std::string> result(names.size());
  for (const std::size_t i : in_fixed_order(names)) {
    const auto is_bad = [&](const std::string& name) {
      return is_keyword(name) || contains(members_of_services, name) || used.contains(name) ||
             (name != names[i] && contains(names, name));
    };
    std::string name = names[i];
    while (is_bad(name))
      name += '_';
    used.insert(name);
    result[i] = std::move(name);
  }
  return result;
}

std::vector<std::string> method_names(const std::vector<std::string>& names) {
  std::set<std::string> used;
  std::vector<std::string> result(names.size());
  for (const std::size_t i : in_fixed_order(names)) {
    const auto is_bad = [&](const std::string& name) {
      const std::string awaited = async_name(name);
      return is_keyword(name) || contains(members_of_methods, name) || used.contains(name) ||
             used.contains(awaited) || (name != names[i] && contains(names, name));
    };
    std::string name = names[i];
    while (is_bad(name))
      name += '_';
    used.insert(async_name(name));
    used.insert(name);
    result[i] = std::move(name);
  }
  return result;
}

std::string async_name(std::string_view method) {
  return std::string(method) + "Async";
}

std::string methods_constant(std::string_view service, const std::set<std::string>& taken) {
  std::string name = std::string(service) + "_methods";
  while (taken.contains(name))
    name += '_';
  return name;
}

}  // namespace nearcall::codegen

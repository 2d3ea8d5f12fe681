// SPDX-License-Identifier: Apache-2.0
// What things of a .proto are called in C++.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FileDescriptor;
}  // namespace google::protobuf

namespace nearcall::codegen {

/// "foo/bar" for "foo/bar.proto".
std::string file_stem(const google::protobuf::FileDescriptor& file);

/// "a::b" for `package a.b;`, spelled as protobuf spells it (`class` is `class_`); empty without.
std::string cpp_namespace(const google::protobuf::FileDescriptor& file);

/// "::a::b::Outer_Inner", as protobuf names the class.
std::string cpp_message(const google::protobuf::Descriptor& message);

/// Whether C++20, or a macro of the C library, keeps `name` from being declared.
bool is_keyword(std::string_view name);

/// The names of classes, enumerations and enumerators that protobuf may put into the namespace of
/// `file`, from it and from what it imports.
std::set<std::string> names_by_protobuf(const google::protobuf::FileDescriptor& file);

/// The names of the classes of the services `names`, in the same order. One that C++, our own
/// members or `taken` do not allow gets `_` at its end.
std::vector<std::string> service_names(const std::vector<std::string>& names,
                                       const std::set<std::string>& taken);

/// The names of the members for the methods `names`, in the same order; each method has an awaited
/// form too, whose name is async_name(). One that C++, the classes that it becomes a member of or
/// another method do not allow gets `_` at its end: beside `Foo`, a method `FooAsync` is
/// `FooAsync_`.
///
/// The result does not depend on the order of the methods.
std::vector<std::string> method_names(const std::vector<std::string>& names);

/// "FooAsync" for "Foo".
std::string async_name(std::string_view method);

/// The constant with the methods of the class `service`, in an unnamed namespace; never one of
/// `taken`.
std::string methods_constant(std::string_view service, const std::set<std::string>& taken);

}  // namespace nearcall::codegen

# SPDX-License-Identifier: Apache-2.0
"""Checks that each header includes, itself or through ours, what declares the std:: names it uses.

What a standard header happens to include does not count. headers_alone, which compiles each header
alone, need not look for these then, and has them precompiled.
"""
import re

import tree

# Header: the names that it declares, as far as they are used.
DECLARES = {
    "algorithm": "clamp max merge min ranges::all_of ranges::find",
    "array": "array",
    "atomic": "atomic memory_order_acq_rel memory_order_acquire memory_order_relaxed "
              "memory_order_release",
    "bit": "bit_cast bit_ceil bit_width has_single_bit",
    "chrono": "chrono",
    "concepts": "convertible_to derived_from integral invocable same_as",
    "condition_variable": "condition_variable condition_variable_any",
    "coroutine": "coroutine_handle suspend_always suspend_never",
    "cstddef": "byte max_align_t nullptr_t ptrdiff_t size_t to_integer",
    "cstdint": "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t",
    "cstring": "memcmp memcpy",
    "deque": "deque",
    "exception": "current_exception exception_ptr rethrow_exception",
    "functional": "function invoke less",
    "initializer_list": "initializer_list",
    "iterator": "back_inserter make_move_iterator",
    "limits": "numeric_limits",
    "list": "list",
    "map": "map",
    "memory": "addressof allocator construct_at destroy_at enable_shared_from_this make_shared "
              "make_unique shared_ptr unique_ptr weak_ptr",
    "mutex": "call_once lock_guard mutex once_flag scoped_lock unique_lock",
    "new": "launder nothrow",
    "optional": "nullopt optional",
    "set": "set",
    "span": "as_bytes as_writable_bytes span",
    "stdexcept": "logic_error",
    "sstream": "ostringstream",
    "stop_token": "nostopstate stop_callback stop_source stop_token",
    "string": "string to_string",
    "string_view": "string_view",
    "system_error": "errc error_code make_error_code system_category system_error",
    "thread": "jthread this_thread thread",
    "tuple": "apply tuple",
    "type_traits": "conditional_t decay_t is_aggregate_v is_const_v is_constructible_v is_convertible_v is_copy_constructible_v "
                   "is_invocable_r_v is_invocable_v is_member_pointer_v "
                   "is_nothrow_move_constructible_v is_null_pointer_v is_object_v is_pointer_v is_reference_v "
                   "is_same_v is_trivially_copyable_v is_trivially_destructible_v is_void_v "
                   "remove_cvref_t",
    "unordered_map": "unordered_map",
    "unordered_set": "unordered_set",
    "utility": "exchange forward in_place in_place_index index_sequence index_sequence_for move pair swap",
    "variant": "get_if holds_alternative monostate variant visit",
    "vector": "vector",
    # By several headers: the standard says that each of them does.
    "array map span string string_view unordered_map unordered_set vector": "data empty size",
    "array tuple utility variant": "get",
    "deque map set string unordered_map unordered_set vector": "erase_if",
}
# Of protobuf, what is precompiled besides.
PROTOBUF = {"google/protobuf/message_lite.h": "MessageLite",
            "google/protobuf/io/zero_copy_stream.h": "io::ZeroCopyInputStream io::ZeroCopyOutputStream"}

INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.MULTILINE)
NOT_CODE = re.compile(r'//.*|"(?:[^"\\\n]|\\.)*"')
NAME = re.compile(r"\b(std|google::protobuf)::((?:chrono\b|(?:ranges|io)::)?\w*)")


def check(root):
    headers = {str(path.relative_to(path.parts[0])): (root / path).read_text(encoding="utf-8")
               for path in tree.source_files(root, under=("include", "src"), suffixes=(".hpp",))}
    includes = {header: INCLUDE.findall(text) for header, text in headers.items()}
    declared_by = _declared_by()
    findings = []
    for header, text in headers.items():
        reached = _reached(header, includes)
        for name in sorted(_names(text)):
            declaring = declared_by.get(name)
            if declaring is None and name.startswith("std::"):
                findings.append(f"{header}: {name}: say in standard_includes.py which header declares it")
            elif declaring and reached.isdisjoint(declaring):
                findings.append(f"{header}: {name} without <{'> or <'.join(sorted(declaring))}>")
    return findings


def _declared_by():
    """{"std::vector": {"vector"}, …}"""
    found = {}
    for space, table in (("std", DECLARES), ("google::protobuf", PROTOBUF)):
        for headers, names in table.items():
            for name in names.split():
                found.setdefault(f"{space}::{name}", set()).update(headers.split())
    return found


def _names(text):
    """The names of the tables' namespaces that a header uses."""
    code = NOT_CODE.sub("", INCLUDE.sub("", text))
    return {f"{space}::{name}" for space, name in NAME.findall(code)}


def _reached(header, includes):
    """What is included, over ours as far as it goes."""
    reached, open_ends = set(), [header]
    while open_ends:
        for target in includes.get(open_ends.pop(), ()):
            if target not in reached:
                reached.add(target)
                open_ends.append(target)
    return reached


if __name__ == "__main__":
    tree.main(check)

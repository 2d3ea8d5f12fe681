# SPDX-License-Identifier: Apache-2.0
"""Tests that standard_includes.py finds what a header forgets to include, and nothing else."""
import unittest

import standard_includes
import tree


def findings(files):
    with tree.MadeUpTree(files) as root:
        return standard_includes.check(root)


class StandardIncludes(unittest.TestCase):
    def test_a_header_that_includes_what_it_uses_passes(self):
        self.assertEqual(findings({"src/a/x.hpp": "#include <vector>\nstd::vector<int> x;\n"}), [])

    def test_what_another_header_of_ours_includes_counts(self):
        files = {"src/a/x.hpp": '#include "a/y.hpp"\nstd::vector<int> x;\n',
                 "src/a/y.hpp": "#include <nearcall/z.hpp>\n",
                 "include/nearcall/z.hpp": "#include <vector>\n"}
        self.assertEqual(findings(files), [])

    def test_what_a_standard_header_includes_does_not_count(self):
        self.assertEqual(findings({"include/nearcall/x.hpp": "#include <string>\nstd::string_view x;\n"}),
                         ["nearcall/x.hpp: std::string_view without <string_view>"])

    def test_a_name_of_several_headers_needs_one_of_them(self):
        self.assertEqual(findings({"src/a/x.hpp": "#include <span>\nint n = std::size(span);\n"}), [])
        self.assertEqual(findings({"src/a/x.hpp": "int n = std::get<0>(x);\n"}),
                         ["a/x.hpp: std::get without <array> or <tuple> or <utility> or <variant>"])

    def test_a_nested_name_is_told_from_its_namespace(self):
        files = {"src/a/x.hpp": "#include <chrono>\nstd::chrono::seconds s; std::ranges::find(x, y);\n"}
        self.assertEqual(findings(files), ["a/x.hpp: std::ranges::find without <algorithm>"])

    def test_a_name_that_no_table_has_is_found(self):
        self.assertEqual(
            findings({"src/a/x.hpp": "std::flat_map<int, int> x;\n"}),
            ["a/x.hpp: std::flat_map: say in standard_includes.py which header declares it"])

    def test_messages_of_protobuf_need_their_header(self):
        self.assertEqual(
            findings({"src/a/x.hpp": "google::protobuf::MessageLite& m; google::protobuf::Descriptor* d;\n"}),
            ["a/x.hpp: google::protobuf::MessageLite without <google/protobuf/message_lite.h>"])

    def test_comments_and_texts_use_nothing(self):
        self.assertEqual(findings({"src/a/x.hpp": '// std::vector\nauto x = "std::vector";\n'}), [])


if __name__ == "__main__":
    unittest.main()

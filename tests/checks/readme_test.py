# SPDX-License-Identifier: Apache-2.0
"""Tests that readme.py finds code that is in no example, and lets the rest pass."""
import unittest

import readme
import tree

EXAMPLE = "int main() {\n  first();\n\n  if (second()) {\n    third();\n  }\n}\n"


def findings(text, name="README.md"):
    files = {name: text, "examples/a.cpp": EXAMPLE, "examples/b.cpp": "int b;\n"}
    with tree.MadeUpTree(files) as root:
        return readme.check(root)


def quoted(code, before="From [a](examples/a.cpp):\n", language="cpp"):
    return f"# T\n\n{before}\n```{language}\n{code}\n```\n"


class Readme(unittest.TestCase):
    def test_code_of_the_named_example_passes_with_less_indentation(self):
        self.assertEqual(findings(quoted("first();\n\nif (second()) {\n  third();\n}")), [])
        self.assertEqual(findings(quoted("    third();")), [])

    def test_changed_code_is_found(self):
        self.assertEqual(findings(quoted("first(1);")),
                         ["README.md:5: this code is not in examples/a.cpp: first(1);"])

    def test_indentation_within_the_block_counts(self):
        self.assertEqual(len(findings(quoted("if (second()) {\nthird();\n}"))), 1)

    def test_lines_that_do_not_follow_each_other_are_found(self):
        self.assertEqual(len(findings(quoted("first();\nif (second()) {"))), 1)

    def test_code_without_a_file_or_from_none_that_exists_is_found(self):
        self.assertEqual(len(findings(quoted("first();", before=""))), 1)
        self.assertEqual(len(findings(quoted("first();", before="[x](examples/x.cpp)\n"))), 1)

    def test_the_last_file_named_counts_and_only_under_its_heading(self):
        both = "[a](examples/a.cpp) and [b](examples/b.cpp)\n"
        self.assertEqual(findings(quoted("int b;", before=both)), [])
        self.assertEqual(len(findings(quoted("int b;", before=both + "## Next\n"))), 1)

    def test_other_languages_need_no_file(self):
        self.assertEqual(findings(quoted("./demo", before="", language="sh")), [])

    def test_in_docs_only_marked_blocks_are_held(self):
        self.assertEqual(findings(quoted("other();", before=""), name="docs/x.md"), [])
        marked = "<!-- from examples/a.cpp -->\n"
        self.assertEqual(findings(quoted("first();", before=marked), name="docs/x.md"), [])
        self.assertEqual(len(findings(quoted("other();", before=marked), name="docs/x.md")), 1)

    def test_code_in_the_last_column_of_a_marked_table_is_held(self):
        def table(ours, mark="<!-- table from examples/a.cpp examples/b.cpp -->\n"):
            return f"{mark}| theirs | ours |\n|---|---|\n| `not(ours)` | {ours} |\n"
        self.assertEqual(findings(table("`if (second()) { third(); }`, and `int b;`"), "docs/x.md"), [])
        self.assertEqual(findings(table("`first();`, or `fourth();`"), "docs/x.md"),
                         ["docs/x.md:4: this code is not in examples/a.cpp or examples/b.cpp: fourth();"])
        self.assertEqual(findings(table("`fourth();`", mark=""), "docs/x.md"), [])
        self.assertEqual(len(findings(table("words", mark="<!-- table from examples/x.cpp -->\n"))), 1)


if __name__ == "__main__":
    unittest.main()

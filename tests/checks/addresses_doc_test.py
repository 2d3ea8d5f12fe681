# SPDX-License-Identifier: Apache-2.0
"""Tests that addresses_doc.py finds schemes that the table, or the parser's own list, lacks or invents."""
import unittest

import addresses_doc
import tree

PARSER = ('ParseResult parse_target(std::string_view target) {\n'
          '  if (const auto rest = after("a:", target)) return parse_a(*rest);\n'
          '  if (const auto rest = after("b-c:", target)) {\n    return parse_b(*rest);\n  }\n'
          '  if (const auto rest = after("ht://", target)) return parse_h(*rest);\n'
          '  if (const auto rest = after("//", target)) return parse_other(*rest);\n'
          '  return wrong(\n      "unknown scheme; known are a:path, "\n      "b-c: and ht://host");\n}\n')
ROWS = ["| `a:path`, `a:///path` | here: `x:y` | `z:` |", "| `make()`, `b-c:` | there | – |", "| `ht://host` | – | – |"]


def findings(rows, parser=PARSER):
    table = "\n".join(["| target | where that is | who |", "|---|---|---|", *rows])
    document = f"# Addresses\n\n| `q:` | another table |\n\n{table}\n\nMore of `r:`.\n"
    with tree.MadeUpTree({"src/transport/endpoint.cpp": parser, "docs/addresses.md": document}) as root:
        return addresses_doc.check(root)


class AddressesDoc(unittest.TestCase):
    def test_a_table_of_all_schemes_passes(self):
        self.assertEqual(findings(ROWS), [])

    def test_a_missing_row_is_found(self):
        for at, scheme in enumerate(["a", "b-c", "ht"]):
            self.assertEqual(findings(ROWS[:at] + ROWS[at + 1:]), [f"docs/addresses.md: `{scheme}:` is missing"])

    def test_a_scheme_that_is_not_parsed_is_found(self):
        self.assertEqual(findings(ROWS + ["| `no:` | – | – |"]),
                         ["docs/addresses.md: src/transport/endpoint.cpp knows no `no:`"])

    def test_the_list_of_the_error_is_compared(self):
        without = PARSER.replace("a:path, ", "")
        self.assertEqual(findings(ROWS, without),
                         ["src/transport/endpoint.cpp: the list of known schemes has no a:"])
        invented = PARSER.replace("b-c: and", "b-c:, d: and")
        self.assertEqual(findings(ROWS, invented),
                         ["src/transport/endpoint.cpp: the list of known schemes has d:, which it does not parse"])


if __name__ == "__main__":
    unittest.main()

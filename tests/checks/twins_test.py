# SPDX-License-Identifier: Apache-2.0
"""Tests that twins.py finds sources without tests and exceptions without need."""
import unittest

import tree
import twins


def findings(names, exceptions):
    with tree.MadeUpTree({name: "" for name in names}) as root:
        return twins.check(root, exceptions)


class Twins(unittest.TestCase):
    def test_a_source_with_its_test_passes(self):
        self.assertEqual(findings(["src/a/b/x.cpp", "tests/a/b/x_test.cpp"], {}), [])

    def test_a_source_without_its_test_is_found(self):
        found = findings(["src/a/b/x.cpp", "tests/a/x_test.cpp"], {})

        self.assertEqual(found, ["src/a/b/x.cpp: has no tests/a/b/x_test.cpp"])

    def test_an_exception_passes(self):
        self.assertEqual(findings(["src/a/x.cpp"], {"src/a/x.cpp": "only main()"}), [])

    def test_an_exception_for_nothing_is_found(self):
        names = ["src/a/x.cpp", "tests/a/x_test.cpp"]

        self.assertEqual(len(findings(names, {"src/a/x.cpp": "", "src/gone.cpp": ""})), 2)


if __name__ == "__main__":
    unittest.main()

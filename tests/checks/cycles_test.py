# SPDX-License-Identifier: Apache-2.0
"""Tests that cycles.py finds circles of includes, and nothing in a tree without."""
import unittest
from unittest import mock

import cycles
import tree


def findings(files, known=()):
    with tree.MadeUpTree(files) as root, mock.patch.object(cycles, "KNOWN", list(known)):
        return cycles.check(root)


TWO = {"src/a/x.cpp": '#include "a/x.hpp"\n#include "a/y.hpp"\n', "src/a/x.hpp": "#pragma once\n",
       "src/a/y.cpp": '#include "a/y.hpp"\n#include "a/x.hpp"\n', "src/a/y.hpp": "#pragma once\n"}


class Cycles(unittest.TestCase):
    def test_a_tree_without_circles_passes(self):
        files = {"src/a/x.cpp": '#include "a/x.hpp"\n#include <nearcall/z.hpp>\n',
                 "src/a/x.hpp": '#include "a/y.hpp"\n', "src/a/y.hpp": "#include <vector>\n",
                 "include/nearcall/z.hpp": "#pragma once\n"}
        self.assertEqual(findings(files), [])

    def test_two_files_that_need_each_other_are_found(self):
        self.assertEqual(findings(TWO), ["a circle of includes: a/x, a/y"])

    def test_a_longer_circle_through_a_public_header_is_found(self):
        files = {"include/nearcall/z.hpp": '#include "a/x.hpp"\n', "src/a/x.hpp": '#include "a/y.hpp"\n',
                 "src/a/y.hpp": "#include <nearcall/z.hpp>\n"}
        self.assertEqual(findings(files), ["a circle of includes: a/x, a/y, nearcall/z"])

    def test_a_known_circle_passes_as_long_as_it_is_there(self):
        self.assertEqual(findings(TWO, known=[{"a/x", "a/y"}]), [])
        self.assertEqual(findings({}, known=[{"a/x", "a/y"}]),
                         ["no circle any more, so not KNOWN: a/x, a/y"])


if __name__ == "__main__":
    unittest.main()

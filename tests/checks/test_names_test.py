# SPDX-License-Identifier: Apache-2.0
"""Tests that test_names.py finds parameters that are shown as bytes, and no others."""
import unittest

import test_names
import tree


def findings(listed):
    """What is found in a program that lists these tests."""
    with tree.MadeUpTree({"program": f"#!/bin/sh\ncat <<'END'\n{listed}\nEND\n"}) as root:
        program = root / "program"
        program.chmod(0o700)
        return test_names.check([program])


class TestNames(unittest.TestCase):
    def test_what_can_be_read_passes(self):
        self.assertEqual(findings("Suite.\n  ANumber/0  # GetParam() = 15\n  AWord/x  # GetParam() = x"), [])

    def test_bytes_and_addresses_are_found(self):
        bytes_shown = "  Name/x  # GetParam() = 16-byte object <A6-F0 00-00>"
        address_shown = "  Name/y  # GetParam() = 0x7f12a0b4c000"

        self.assertEqual(len(findings(f"Suite.\n{bytes_shown}\n{address_shown}")), 2)


if __name__ == "__main__":
    unittest.main()

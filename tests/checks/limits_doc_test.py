# SPDX-License-Identifier: Apache-2.0
"""Tests that limits_doc.py finds budgets that docs/limits.md leaves out, invents or gets wrong."""
import unittest

import limits_doc
import tree

SOURCES = {
    "include/nearcall/connection_limits.hpp":
        "struct AdvancedLimits {\n  std::uint32_t max_a = 16 * 1024;\n"
        "  std::uint32_t max_b = 20'000;\n};\n"
        "struct ConnectionLimits : AdvancedLimits {\n  std::size_t max_c = std::size_t{4} * 1024 * 1024;\n"
        "  std::chrono::nanoseconds d_timeout = std::chrono::seconds(5);\n};\n",
    "include/nearcall/server.hpp": "class ServerOptions {\n  ServerOptions& threads(int n) {}\n"
                                   "  ServerOptions& max_e(int n) {}\n"
                                   "  ServerOptions& limits(int n) {}\n\n};\n",
    "include/nearcall/channel.hpp": "class ChannelOptions {\n\n};\n",
}
ROWS = ["| `max_a` | 16 KiB | x |", "| `max_b` | 20,000 | x |", "| **`max_c`** | 4 MiB | x |",
        "| **`d_timeout`** | 5 s | x |", "| `ServerOptions::max_e` | any | x |"]


def findings(rows):
    with tree.MadeUpTree({**SOURCES, "docs/limits.md": "\n".join(rows) + "\n"}) as root:
        return limits_doc.check(root)


class LimitsDoc(unittest.TestCase):
    def test_a_complete_list_passes(self):
        self.assertEqual(findings(ROWS), [])

    def test_a_missing_budget_is_found(self):
        for at, row in enumerate(ROWS):
            self.assertEqual(len(findings(ROWS[:at] + ROWS[at + 1:])), 1, row)

    def test_a_wrong_default_is_found(self):
        for at, wrong in enumerate(["16 MiB", "2,000", "4 KiB", "6 s"]):
            name = ROWS[at].split("|")[1]
            self.assertEqual(len(findings(ROWS[:at] + [f"|{name}| {wrong} |"] + ROWS[at + 1:])), 1)

    def test_a_budget_that_does_not_exist_is_found(self):
        self.assertEqual(findings(ROWS + ["| `max_x` | 1 | x |"]),
                         ["docs/limits.md: there is no `max_x`"])

    def test_bold_rows_are_the_frozen_limits(self):
        self.assertEqual(findings(["| **`max_a`** | 16 KiB | x |"] + ROWS[1:]),
                         ["docs/limits.md: `max_a` is not frozen, so not bold"])
        self.assertEqual(findings(ROWS[:2] + ["| `max_c` | 4 MiB | x |"] + ROWS[3:]),
                         ["docs/limits.md: `max_c` is frozen, so bold"])


if __name__ == "__main__":
    unittest.main()

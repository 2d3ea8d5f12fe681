# SPDX-License-Identifier: Apache-2.0
"""Tests what test_report.py makes of ctest's report."""
import unittest

import test_report
import tree


def case(name, status="run", seconds=0.1, output=""):
    return f'<testcase name="{name}" time="{seconds}" status="{status}"><system-out>{output}</system-out></testcase>'


def read(*cases):
    with tree.MadeUpTree({"report.xml": f"<testsuite>{''.join(cases)}</testsuite>"}) as root:
        return test_report.read(root / "report.xml")


class TestReport(unittest.TestCase):
    def test_each_way_to_end_is_counted(self):
        cases = read(case("a"), case("b", "fail"), case("c", "notrun"), case("d", "disabled"), case("e"))

        self.assertEqual(test_report.count(cases), "2 passed, 1 failed, 2 skipped")

    def test_the_tests_of_a_suite_are_counted_one_by_one(self):
        output = "[       OK ] S.A (1 ms)\n[  SKIPPED ] S.B (0 ms)\n[  FAILED  ] S.C, where x (2 ms)\n[  FAILED  ] S.C\n"

        self.assertEqual(test_report.count(read(case("S", "fail", output=output))), "1 passed, 1 failed, 1 skipped")

    def test_a_suite_that_broke_off_is_a_failure_besides(self):
        cases = read(case("S", "fail", output="[       OK ] S.A (1 ms)\n[ RUN      ] S.B\n"))

        self.assertEqual(test_report.count(cases), "1 passed, 1 failed, 0 skipped")

    def test_what_failed_in_a_test_that_passed_was_meant_to(self):
        output = "[       OK ] S.A (1 ms)\n[  FAILED  ] S.B (0 ms)\n[  FAILED  ] S.B\n"

        self.assertEqual(test_report.count(read(case("S", output=output))), "2 passed, 0 failed, 0 skipped")

    def test_what_took_too_long_is_named_up_to_a_space(self):
        cases = read(case("fast"), case("slow/0  # GetParam() = 0", seconds=10.1), case("S.A", seconds=0.2))

        self.assertEqual(test_report.slow(cases), ["slow/0"])

    def test_a_suite_is_slow_by_its_slowest_test(self):
        many = "[       OK ] S.A (6000 ms)\n[       OK ] S.B (6000 ms)\n"
        one = "[       OK ] T.A (10001 ms)\n"

        self.assertEqual(test_report.slow(read(case("S", seconds=12, output=many), case("T", output=one))), ["T"])

    def test_what_hangs_is_slow_though_no_test_of_it_ended(self):
        self.assertEqual(test_report.slow(read(case("S", "fail", 120, "[ RUN      ] S.A\n"))), ["S"])

    def test_what_builds_or_talks_to_others_may_be_slow(self):
        self.assertEqual(test_report.slow(read(case("install.qt", seconds=60), case("bench.micro", seconds=60))),
                         ["bench.micro"])


if __name__ == "__main__":
    unittest.main()

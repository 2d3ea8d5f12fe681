# SPDX-License-Identifier: Apache-2.0
"""What ctest reported (--output-junit): test_report.py count REPORT, test_report.py slow REPORT.

A ctest test may be one suite of a GoogleTest program. What is counted, and timed, are then the tests of
the suite, which its output names.
"""
import re
import sys
import xml.etree.ElementTree

TOO_LONG = 10  # seconds
# What builds programs or talks to those of others takes its time.
MAY_BE_SLOW = re.compile(r"^(install|interop|nghttp2)\.")
INNER = re.compile(r"^\[ +(OK|SKIPPED|FAILED) +\] .* \((\d+) ms\)$", re.MULTILINE)
INNER_ENDS = {"OK": "passed", "SKIPPED": "skipped", "FAILED": "failed"}


def read(report):
    """(name, [(how it ended, seconds) of each test]) of each ctest test."""
    return [(case.get("name"), _tests(case)) for case in xml.etree.ElementTree.parse(report).iter("testcase")]


def _tests(case):
    inner = [(INNER_ENDS[end], int(ms) / 1000) for end, ms in INNER.findall(case.findtext("system-out") or "")]
    outer = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
    if outer == "passed":  # then what failed was meant to: a test of tests
        inner = [("passed" if end == "failed" else end, seconds) for end, seconds in inner]
    if not inner or (outer == "failed" and "failed" not in [end for end, _ in inner]):  # it broke off
        inner.append((outer, float(case.get("time"))))
    return inner


def count(cases):
    ends = [end for _, tests in cases for end, _ in tests]
    return ", ".join(f"{ends.count(end)} {end}" for end in ("passed", "failed", "skipped"))


def slow(cases):
    """What the names of those begin with that took too long, up to a space."""
    return [name.split(" ")[0] for name, tests in cases
            if not MAY_BE_SLOW.match(name) and any(seconds > TOO_LONG for _, seconds in tests)]


def main():
    cases = read(sys.argv[2])
    if sys.argv[1] == "count":
        print(count(cases))
    else:
        print("\n".join(slow(cases)))


if __name__ == "__main__":
    main()

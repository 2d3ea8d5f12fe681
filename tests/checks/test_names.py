# SPDX-License-Identifier: Apache-2.0
"""Checks that no test's name or parameter is shown as bytes or an address: test_names.py PROGRAM ...

Such a name differs from run to run, and says nothing: a parameter's type wants a PrintTo().
"""
import re
import subprocess
import sys

UNREADABLE = re.compile(r"\d+-byte object|0x[0-9A-Fa-f]{4,}")


def check(programs):
    findings = []
    for program in programs:
        listed = subprocess.run([program, "--gtest_list_tests"], check=True, text=True,
                                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
        findings += [f"{program}: {line.strip()}" for line in listed.stdout.splitlines()
                     if UNREADABLE.search(line)]
    return findings


def main():
    findings = check(sys.argv[1:])
    for finding in findings:
        print(finding)
    print(f"{len(findings)} finding(s) in {len(sys.argv) - 1} program(s)")
    sys.exit(1 if findings or len(sys.argv) < 2 else 0)


if __name__ == "__main__":
    main()

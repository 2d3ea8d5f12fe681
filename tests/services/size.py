#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a program grows by, stripped, for what it links: size.py STRIP MOST_KIB PLAIN PROGRAM…"""
import os
import subprocess
import sys
import tempfile


def stripped_size(strip, program):
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run([strip, "-o", copy.name, program], check=True)
        return os.path.getsize(copy.name)


def main():
    strip, most, plain, *programs = sys.argv[1:]
    without = stripped_size(strip, plain)
    print(f"{without / 1000:8.1f} kB {os.path.basename(plain)}")
    failed = not programs
    for program in programs:
        growth = stripped_size(strip, program) - without
        failed |= not 0 < growth <= int(most) * 1000
        print(f"{growth / 1000:+8.1f} kB {os.path.basename(program)}")
    return f"more than {most} kB, or nothing" if failed else 0


if __name__ == "__main__":
    sys.exit(main())

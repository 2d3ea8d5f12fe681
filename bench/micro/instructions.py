#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when the in-memory exchange, or a whole call, takes more instructions than was committed, or
than they may at the most.

Callgrind counts two runs of different length; their difference has no start and no exit in it, and
is the same on every machine with the same compiler. `--update` commits to what it finds."""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COMMITTED = pathlib.Path(__file__).with_name("instructions.json")
SKIPPED = 77
FEW, MANY = 500, 1000
TOLERANCE = 0.05
# What interceptors that do nothing may add to a call, one at each end: 15 % were counted.
INTERCEPTED = 0.18


def count(program, what, rounds):
    """Instructions of a run of so many rounds."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, what,
             str(rounds)], capture_output=True, text=True, check=False)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"callgrind of {program} {what} failed:\n{done.stderr[-2000:]}")
    return int(found[1])


def measure(program, what):
    """Instructions of one round."""
    with concurrent.futures.ThreadPoolExecutor() as both:
        few, many = both.map(lambda rounds: count(program, what, rounds), (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def update(arguments, committed):
    counts = {what: measure(arguments.program, what) for what in committed["instructions"]}
    text = json.dumps({"compiler": arguments.compiler, "instructions": counts,
                       "most": committed["most"]}, indent=2)
    COMMITTED.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def check(arguments, committed):
    if arguments.compiler != committed["compiler"]:
        print(f"skipped: built by {arguments.compiler}, counted with {committed['compiler']}")
        return SKIPPED
    has_grown = False
    counts = {}
    for what, wanted in committed["instructions"].items():
        measured = counts[what] = measure(arguments.program, what)
        growth = measured / wanted - 1
        most = committed["most"][what]
        print(f"{what}: {measured} instructions, {growth:+.1%} against {wanted}, at most {most}")
        has_grown |= growth > TOLERANCE or measured > most
        if growth < -TOLERANCE:
            print("  fewer: commit that with --update")
    if counts["whole_call"] >= counts["whole_call_over_unix"]:
        print("in memory a call takes no fewer instructions than over a socket")
        has_grown = True
    added = measure(arguments.program, "whole_call_intercepted") / counts["whole_call"] - 1
    print(f"interceptors that do nothing: {added:+.1%}, at most {INTERCEPTED:.0%}")
    has_grown |= added > INTERCEPTED
    return 1 if has_grown else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="bench_count_instructions, Release")
    parser.add_argument("--compiler", required=True, help="its name, version and processor")
    parser.add_argument("--update", action="store_true", help="write what is measured")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind")
        return SKIPPED
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return (update if arguments.update else check)(arguments, committed)


if __name__ == "__main__":
    sys.exit(main())

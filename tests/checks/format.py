# SPDX-License-Identifier: Apache-2.0
"""Checks that clang-format would change nothing. Arguments: the tree, the clang-format to use."""
import subprocess
import sys

import tree

FOLDERS = ("include", "src", "tests", "bench", "examples")


def check(root):
    files = tree.source_files(root, under=FOLDERS, suffixes=(".hpp", ".cpp"))
    command = [sys.argv[2], "--dry-run", "--ferror-limit=3", *files]
    output = subprocess.run(command, cwd=root, stderr=subprocess.PIPE, text=True, check=True).stderr
    return [line for line in output.splitlines() if "-Wclang-format-violations" in line]


if __name__ == "__main__":
    tree.main(check)

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
    found = [line for line in output.splitlines() if "-Wclang-format-violations" in line]
    return [line for line in found if _is_changed(root, line.split(":")[0])]


def _is_changed(root, name):
    """A dry run of clang-format 14 also complains where it replaces the comment at the end of an inline
    namespace by the same text."""
    formatted = subprocess.run([sys.argv[2], name], cwd=root, stdout=subprocess.PIPE, check=True).stdout
    return formatted != (root / name).read_bytes()


if __name__ == "__main__":
    tree.main(check)

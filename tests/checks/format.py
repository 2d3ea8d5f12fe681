# SPDX-License-Identifier: Apache-2.0
"""Checks that clang-format would change nothing. Arguments: the tree, the clang-format to use."""
import multiprocessing.pool
import os
import subprocess
import sys

import tree

FOLDERS = ("include", "src", "tests", "bench", "examples")
BATCH = 30  # files a run of clang-format: starting it takes as long as some files


def check(root):
    files = tree.source_files(root, under=FOLDERS, suffixes=(".hpp", ".cpp"))
    batches = [files[start:start + BATCH] for start in range(0, len(files), BATCH)]
    with multiprocessing.pool.ThreadPool(os.cpu_count()) as pool:
        changed = pool.map(lambda batch: _changed(root, batch), batches)
    return [f"{path}: clang-format would change it" for batch in changed for path in batch]


def _changed(root, files):
    """Those of the files that are not as they would be formatted. (A dry run of clang-format 14 also
    complains where it replaces the comment at the end of an inline namespace by the same text.)"""
    formatted = subprocess.run([sys.argv[2], *files], cwd=root, stdout=subprocess.PIPE, check=True).stdout
    if formatted == b"".join((root / path).read_bytes() for path in files):
        return []
    if len(files) == 1:
        return files
    return [path for path in files if _changed(root, [path])]


if __name__ == "__main__":
    tree.main(check)

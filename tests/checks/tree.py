# SPDX-License-Identifier: Apache-2.0
"""What the checks share: which files are ours, how findings are told, a made-up tree for tests."""
import os
import pathlib
import sys
import tempfile

# What a package manager or another build tool leaves behind is not source; nor is /build*.
SKIPPED_DIRS = {"node_modules", "bin", "obj", "__pycache__"}


def source_files(root, *, under=(), suffixes=()):
    """Paths below `root` (or its folders `under`), relative, sorted; hidden folders left out."""
    root = pathlib.Path(root)
    found = []
    for start in [root / folder for folder in under] or [root]:
        for folder, names, files in os.walk(start):
            names[:] = [name for name in names if not _is_skipped(root, folder, name)]
            for name in files:
                if name == ".git":  # of a worktree
                    continue
                path = pathlib.Path(folder, name).relative_to(root)
                if not suffixes or path.suffix in suffixes:
                    found.append(path)
    return sorted(found)


def _is_skipped(root, folder, name):
    is_build = pathlib.Path(folder) == root and name.startswith("build")
    return is_build or name in SKIPPED_DIRS or name.startswith(".")


def main(check):
    """Runs check(root) on the tree named on the command line; fails if it finds anything."""
    findings = check(pathlib.Path(sys.argv[1]))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} finding(s)")
    sys.exit(1 if findings else 0)


class MadeUpTree:
    """A temporary tree: `with MadeUpTree({"src/base/a.hpp": "text"}) as root:`."""

    def __init__(self, files):
        self._files = files

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(self._folder.name)
        for name, text in self._files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    def __exit__(self, *_):
        self._folder.cleanup()

# SPDX-License-Identifier: Apache-2.0
"""Checks that each src/**/<name>.cpp has its tests/**/<name>_test.cpp, in the folder of that name."""
import tree

# Sources without a twin, each with the reason. Keep it short.
EXCEPTIONS = {
    "src/codegen/main.cpp": "a main() of three lines; the golden tests run it",
}


def check(root, exceptions=None):
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    findings = []
    unused = set(exceptions)
    for path in tree.source_files(root, under=("src",), suffixes=(".cpp",)):
        twin = ("tests" / path.relative_to("src")).with_name(path.stem + "_test.cpp")
        if (root / twin).exists():
            continue
        unused.discard(str(path))
        if str(path) not in exceptions:
            findings.append(f"{path}: has no {twin}")
    findings += [f"{path}: needs no exception in tests/checks/twins.py" for path in sorted(unused)]
    return findings


if __name__ == "__main__":
    tree.main(check)

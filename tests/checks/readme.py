# SPDX-License-Identifier: Apache-2.0
"""Checks that code in README.md stands in the example that is named before it, so it compiles.

Each block of C++, C#, CMake, make, proto, or configuration of systemd or a proxy in README.md is a part of the file that was
linked last before it, under the same heading. So is each in docs/guides, where the line `<!-- from PATH -->` above it names the
file; in other documents such a line is not needed, but kept to.
Lines are compared as they are, but for the indentation that a block has in its file.

In a table under the line `<!-- table from PATH... -->` each piece of code in the last column stands in one of these files, as it
is but for its white space; the column before has the code of others, which is not checked.
"""
import re
import textwrap

import tree

CHECKED = {"cpp", "cmake", "csharp", "ini", "make", "proto", "nginx", "haproxy"}
MARK = re.compile(r"<!-- from (\S+) -->")
TABLE = re.compile(r"<!-- table from (\S.*) -->")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([\w./]+\.(?:cpp|hpp|proto|txt|cmake))\)")


def check(root):
    findings = []
    documents = [root / "README.md"] + sorted((root / "docs").rglob("*.md"))
    for path in documents:
        if path.exists():
            is_readme = path.name == "README.md"
            is_guide = path.parent.name == "guides"
            text = path.read_text(encoding="utf-8")
            problems = [*_document_findings(root, text, is_readme, is_readme or is_guide),
                        *_table_findings(root, text)]
            findings += [f"{path.relative_to(root)}:{number}: {problem}" for number, problem in problems]
    return findings


def _document_findings(root, text, is_readme, is_strict):
    source, block, language, start = None, None, "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if block is not None:
            if line.startswith("```"):
                problem = _block_problem(root, source, block)
                if language in CHECKED and (is_strict or source) and problem:
                    yield start, problem
                block = None
                source = source if is_readme else None
            else:
                block.append(line)
        elif line.startswith("```"):
            language, block, start = line[3:].strip(), [], number
        elif line.startswith("#"):
            source = None
        elif named := MARK.findall(line) + (LINK.findall(line) if is_readme else []):
            source = named[-1]


def _block_problem(root, source, block):
    """Why the lines of `block` are not a part of the file `source`, or None."""
    if source is None:
        return "no file is named before this code: link the example that it is from"
    if not (root / source).is_file():
        return f"there is no {source}"
    lines = (root / source).read_text(encoding="utf-8").splitlines()
    wanted = _dedented(block)
    if any(_dedented(lines[at:at + len(block)]) == wanted
           for at in range(len(lines) - len(block) + 1)):
        return None
    return f"this code is not in {source}: {block[0].strip() if block else 'it is empty'}"


def _table_findings(root, text):
    sources = None
    for number, line in enumerate(text.splitlines(), start=1):
        if named := TABLE.fullmatch(line):
            sources = named.group(1).split()
            missing = [source for source in sources if not (root / source).is_file()]
            if missing:
                yield number, f"there is no {missing[0]}"
                sources = None
                continue
            code = ["".join((root / source).read_text(encoding="utf-8").split()) for source in sources]
        elif not line.startswith("|"):
            sources = None
        elif sources is not None:
            for piece in CODE.findall(line.rstrip().rstrip("|").rsplit(" | ", 1)[-1]):
                if not any("".join(piece.split()) in text_of_file for text_of_file in code):
                    yield number, f"this code is not in {' or '.join(sources)}: {piece}"


def _dedented(lines):
    return textwrap.dedent("\n".join(line.rstrip() for line in lines))


if __name__ == "__main__":
    tree.main(check)

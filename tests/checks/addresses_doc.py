# SPDX-License-Identifier: Apache-2.0
"""Checks that the table of docs/addresses.md has each scheme that a target may have, and none else; and the
same of the message that names those that are known."""
import re

import tree

DOCUMENT = "docs/addresses.md"
PARSER = "src/transport/endpoint.cpp"

PARSED = re.compile(r'after\("([a-z0-9-]+):(?://)?", target\)')
KNOWN = re.compile(r'"unknown scheme; known are ((?:[^;])*)\);')
TABLE = "| target | where that is |"
SCHEME = re.compile(r"`([a-z0-9-]+):[^`]*`")


def check(root):
    parser = (root / PARSER).read_text(encoding="utf-8")
    parsed = set(PARSED.findall(parser))
    listed = _listed((root / DOCUMENT).read_text(encoding="utf-8"))
    findings = [f"{DOCUMENT}: `{scheme}:` is missing" for scheme in sorted(parsed - listed)]
    findings += [f"{DOCUMENT}: {PARSER} knows no `{scheme}:`" for scheme in sorted(listed - parsed)]
    known = _known(parser)
    findings += [f"{PARSER}: the list of known schemes has no {scheme}:" for scheme in sorted(parsed - known)]
    findings += [f"{PARSER}: the list of known schemes has {scheme}:, which it does not parse"
                 for scheme in sorted(known - parsed)]
    return findings


def _listed(document):
    """The schemes in the first column of the table."""
    rows = document[document.index(TABLE):].split("\n\n")[0].split("\n")[2:]
    return {scheme for row in rows for scheme in SCHEME.findall(row.split(" | ")[0])}


def _known(parser):
    """The schemes in the error about one that is not known."""
    text = "".join(re.findall(r'"([^"]*)"', '"' + KNOWN.search(parser)[1]))
    return set(re.findall(r"(?:^|, | and )([a-z0-9-]+):", text))


if __name__ == "__main__":
    tree.main(check)

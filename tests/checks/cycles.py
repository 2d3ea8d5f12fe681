# SPDX-License-Identifier: Apache-2.0
"""Checks that no files include each other in a circle; a .hpp and its .cpp count as one.

Whoever wants to understand, test or replace one file of a circle has to take all of them.
"""
import re

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"$]+)"|<(nearcall/[^>]+)>)', re.MULTILINE)

# Circles that are known, each a set of names as of findings. One that is gone must go from here.
KNOWN = []


def check(root):
    circles = _circles(_includes(root))
    findings = [f"a circle of includes: {', '.join(sorted(circle))}"
                for circle in circles if circle not in KNOWN]
    gone = [circle for circle in KNOWN if circle not in circles]
    return findings + [f"no circle any more, so not KNOWN: {', '.join(sorted(circle))}"
                       for circle in gone]


def _includes(root):
    """What each unit includes: {"http2/session": {"http2/frame", …}}; public headers are
    "nearcall/server"."""
    graph = {}
    for path in tree.source_files(root, under=("src", "include"), suffixes=(".hpp", ".cpp")):
        unit = str(path.relative_to(path.parts[0]).with_suffix(""))
        text = (root / path).read_text(encoding="utf-8")
        targets = {(ours or public).removesuffix(".hpp") for ours, public in INCLUDE.findall(text)}
        graph.setdefault(unit, set()).update(targets - {unit})
    return graph


def _circles(graph):
    """The sets of units that reach each other (Tarjan's strongly connected components)."""
    circles, order, low, path = [], {}, {}, []

    def visit(unit):
        order[unit] = low[unit] = len(order)
        path.append(unit)
        for target in sorted(graph.get(unit, ())):
            if target not in order:
                visit(target)
                low[unit] = min(low[unit], low[target])
            elif target in path:
                low[unit] = min(low[unit], order[target])
        if low[unit] == order[unit]:
            circle = set(path[path.index(unit):])
            del path[path.index(unit):]
            if len(circle) > 1:
                circles.append(circle)

    for unit in sorted(graph):
        if unit not in order:
            visit(unit)
    return circles


if __name__ == "__main__":
    tree.main(check)

# SPDX-License-Identifier: Apache-2.0
"""Checks that docs/limits.md lists every budget, with its default, and none that is not there; the
members of ConnectionLimits itself, which are frozen, in bold, those of AdvancedLimits not."""
import re

import tree

DOCUMENT = "docs/limits.md"
LIMITS = "include/nearcall/connection_limits.hpp"
OPTIONS = {"ServerOptions": "include/nearcall/server.hpp",
           "ChannelOptions": "include/nearcall/channel.hpp"}

MEMBER = re.compile(r"^  [\w:]+ (\w+) = (.+);$", re.MULTILINE)
ROW = re.compile(r"^\| (?:\*\*)?`([\w:()]+)`(?:\*\*)? \| ([^|]*) \|", re.MULTILINE)
BOLD_ROW = re.compile(r"^\| \*\*`(\w+)`\*\* \|", re.MULTILINE)
FROZEN = "struct ConnectionLimits"
SECONDS = re.compile(r"std::chrono::seconds\((\d+)\)")
# Options that are no budget.
NOT_BUDGETS = {"allow_exec", "allow_fd", "authority", "codec", "compression", "compression_threshold", "connector",
               "expect_server", "interceptor", "keepalive_without_calls", "limits", "observer", "picker", "spin", "threads"}


def check(root):
    document = (root / DOCUMENT).read_text(encoding="utf-8")
    rows = dict(ROW.findall(document))
    budgets = _budgets(root)
    findings = [f"{DOCUMENT}: `{name}` is missing" for name in budgets if name not in rows]
    findings += [f"{DOCUMENT}: there is no `{name}`" for name in rows if name not in budgets]
    findings += [f"{DOCUMENT}: `{name}` is {default}, not {rows[name]}"
                 for name, default in budgets.items()
                 if name in rows and default is not None and _number(rows[name]) != default]
    frozen, bold = _frozen(root), set(BOLD_ROW.findall(document))
    findings += [f"{DOCUMENT}: `{name}` is frozen, so bold" for name in sorted(frozen & rows.keys() - bold)]
    findings += [f"{DOCUMENT}: `{name}` is not frozen, so not bold" for name in sorted(bold - frozen)]
    return findings


def _frozen(root):
    limits = (root / LIMITS).read_text(encoding="utf-8")
    return {name for name, _ in MEMBER.findall(limits[limits.index(FROZEN):])}


def _budgets(root):
    """Name → default as a number, or None where the header keeps it elsewhere."""
    limits = (root / LIMITS).read_text(encoding="utf-8")
    found = {name: _value(text) for name, text in MEMBER.findall(limits)}
    for options, header in OPTIONS.items():
        text = (root / header).read_text(encoding="utf-8")
        body = text[text.index(f"class {options} {{"):].split("\n};")[0]
        for name in re.findall(rf"{options}& (\w+)\(", body):
            if name not in NOT_BUDGETS:
                found[f"{options}::{name}"] = None
    return found


def _value(text):
    if seconds := SECONDS.fullmatch(text):
        return int(seconds[1])
    product = 1
    for factor in re.sub(r"std::size_t\{(\d+)\}", r"\1", text).replace("'", "").split("*"):
        product *= int(factor)
    return product


def _number(text):
    """"16 KiB" → 16384, "20,000" → 20000, "5 s" → 5; None if it does not start with a number."""
    match = re.match(r"([\d,]+)(?: (KiB|MiB|s)\b)?", text)
    if not match:
        return None
    return int(match[1].replace(",", "")) * {"KiB": 1024, "MiB": 1024 * 1024}.get(match[2], 1)


if __name__ == "__main__":
    tree.main(check)

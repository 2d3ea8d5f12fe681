# SPDX-License-Identifier: Apache-2.0
"""bench/compare once everything is built: measures, prints the table, writes JSON and pictures."""
import argparse
import dataclasses
import fnmatch
import json
import pathlib
import sys

import machine
import pictures
import table
import targets
from cases import all_cases
from peers import PEERS, Programs
from rounds import all_rounds
from standing import STANDING, all_standing

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long things are measured. `warmup` scales what each peer needs."""
    rounds: int = 5
    seconds: float = 0.5
    warmup: float = 1.5
    idle_seconds: float = 10
    idle_connections: int = 1000
    starts: int = 50
    returns: int = 100
    returns_of_peers: int = 20
    traces_peers: bool = True  # counts the system calls of others, too


QUICK = Effort(rounds=1, seconds=0.1, warmup=0.2, idle_seconds=0.5, idle_connections=200, starts=7,
               returns=10, returns_of_peers=3, traces_peers=False)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/compare", description=(
        "Measures nearcall beside grpc++, Cap'n Proto, .NET and bare sockets, always server and "
        "client as two processes, in rounds that the peers take in turns."))
    parser.add_argument("--quick", action="store_true", help="in about a minute: rough figures")
    parser.add_argument("--only", action="append", metavar="CASE", default=[],
                        help="only cases whose name matches, as inflight-*; may be repeated")
    parser.add_argument("--peers", metavar="NAME,…", help="only these")
    parser.add_argument("--rounds", type=int, help="how many rounds each case has")
    parser.add_argument("--seconds", type=float, help="how long each peer is measured in a round")
    parser.add_argument("--check", action="store_true",
                        help="fail when a target is missed, or was not measured")
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the README's pictures there")
    parser.add_argument("--json", metavar="FILE", help="default: compare.json beside the programs")
    parser.add_argument("--list", action="store_true", help="name the cases and the peers")
    parser.add_argument("--build", metavar="FOLDER", default=ROOT / "build" / "bench",
                        type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen_peers(given, programs):
    wanted = given.peers.split(",") if given.peers else [peer.name for peer in PEERS]
    unknown = set(wanted) - {peer.name for peer in PEERS}
    if unknown:
        sys.exit(f"bench/compare: there is no peer {', '.join(sorted(unknown))}")
    chosen = []
    for peer in PEERS:
        if peer.name in wanted and not programs.has(peer):
            print(f"bench/compare: {peer.name} is not there, left out", file=sys.stderr)
        elif peer.name in wanted:
            chosen.append(peer)
    return chosen


def is_wanted(name, patterns):
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def effort_of(given):
    effort = QUICK if given.quick else Effort()
    changed = {key: value for key in ("rounds", "seconds")
               if (value := getattr(given, key)) is not None}
    return dataclasses.replace(effort, **changed)


def failures_of_ours(report):
    """Peers may fail; nearcall may not."""
    for part in ("cases", "standing"):
        for name, results in report[part].items():
            for peer, figures in results.items():
                if peer.startswith("nearcall") and "error" in figures:
                    yield f"{name}: {figures['error']}"


def main():
    given = arguments()
    cases = [case for case in all_cases(given.quick) if is_wanted(case.name, given.only)]
    standing = [name for name in STANDING if is_wanted(name, given.only)]
    if given.list:
        print("cases:", *(case.name for case in cases), *standing)
        print("peers:", *(peer.name for peer in PEERS))
        return 0
    if not cases and not standing:
        sys.exit("bench/compare: no such case; --list names them")
    programs = Programs(given.build)
    peers = chosen_peers(given, programs)
    effort = effort_of(given)
    report = {"machine": machine.describe(ROOT), "effort": dataclasses.asdict(effort)}
    report["cases"] = all_rounds(programs, peers, cases, effort)
    report["standing"] = all_standing(programs, peers, standing, effort)
    found = list(targets.targets(report))

    file = pathlib.Path(given.json or given.build / "compare.json")
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table.markdown(report, cases, peers))
    print(targets.markdown(found))
    print(f"The figures as JSON: {file}")
    if given.pictures:
        pictures.draw(report, pathlib.Path(given.pictures))
    failures = list(failures_of_ours(report))
    for failure in failures:
        print(f"FAILED {failure}")
    is_missed = given.check and any(target.verdict() != "PASS" for target in found)
    return 1 if failures or is_missed else 0


if __name__ == "__main__":
    sys.exit(main())

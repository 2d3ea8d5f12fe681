# SPDX-License-Identifier: Apache-2.0
"""Interleaved rounds: within a case the peers take turns, so that what the machine does hits all."""
import contextlib
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import time

from cases import in_groups
from peers import ClientFailed, Server, run_client


class ServerPark:
    """Servers that are kept for the whole run: one for each peer and set of options."""

    def __init__(self, programs):
        self._programs = programs
        self._servers = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self._servers.values():
            server.stop()

    def get(self, peer, case):
        key = _server_key(peer, case)
        if key not in self._servers:
            self._servers[key] = Server(self._programs, peer, *case.server_options,
                                        prefix=_placed(case.processors[:1]))
        return self._servers[key]

    def drop(self, peer, case):
        """After a failure: the next case gets a fresh server."""
        server = self._servers.pop(_server_key(peer, case), None)
        if server is not None:
            server.stop()


def _server_key(peer, case):
    return peer.name, case.server_options, case.processors[:1]


def _placed(position):
    """What starts a program on one of the processors that we may use; on any of them: nothing."""
    usable = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(usable[position[0]])] if position else []


def _can_be_placed(case):
    return max(case.processors, default=0) < len(os.sched_getaffinity(0))


@contextlib.contextmanager
def busy_processors():
    """A program on each processor that does nothing but compute."""
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def measure(programs, park, cases, chosen, effort):
    """All rounds of cases that take turns: {case name: {peer name: what was measured}}."""
    rounds = {case.name: {peer.name: [] for peer in chosen} for case in cases}
    errors = {case.name: {} for case in cases}
    for _ in range(effort.rounds):
        for case in cases:
            for peer in chosen:
                if peer.name not in errors[case.name] and rounds[case.name][peer.name] is not None:
                    _one_round(programs, park, case, peer, effort, rounds[case.name],
                               errors[case.name])
    return {case.name: _results(case, rounds[case.name], errors[case.name]) for case in cases}


def _results(case, rounds, errors):
    results = {name: _summary(case, runs) for name, runs in rounds.items() if runs}
    return results | {name: {"error": text} for name, text in errors.items()}


def _has_case(peer, case):
    return (not case.peers or peer.name in case.peers) and (
        not peer.cases or any(fnmatch.fnmatch(case.name, pattern) for pattern in peer.cases))


def _one_round(programs, park, case, peer, effort, rounds, errors):
    if not _has_case(peer, case) or case.connections > peer.max_connections or not _can_be_placed(case):
        rounds[peer.name] = None
        return
    try:
        server = park.get(peer, case)
        output = run_client(
            programs, peer, server, case.client, *case.options, "--server-pid", server.pid,
            "--seconds", effort.seconds, "--warmup", max(peer.warmup * effort.warmup, 0.05),
            prefix=_placed(case.processors[1:]))
    except ClientFailed as error:
        errors[peer.name] = str(error)
        park.drop(peer, case)
        print(f"  {error}", file=sys.stderr)
        return
    if output is None:
        rounds[peer.name] = None
    else:
        rounds[peer.name].append(json.loads(output))


def _summary(case, runs):
    """The median over the rounds of each figure, and how far they lie apart."""
    figures = [_figures(run) for run in runs]
    summary = {key: statistics.median(figure[key] for figure in figures) for key in figures[0]}
    for key in ("p50_us", "per_second"):
        summary[f"{key}_spread"] = [min(figure[key] for figure in figures),
                                    max(figure[key] for figure in figures)]
    summary["bytes_per_second"] = summary["per_second"] * case.bytes_per_unit()
    return summary | {"unit": case.unit, "rounds": len(runs)}


def _figures(run):
    count = max(run["count"], 1)
    return {
        "p50_us": run["p50_ns"] / 1e3,
        "p99_us": run["p99_ns"] / 1e3,
        "per_second": run["count"] / run["seconds"],
        "cpu_client_us": run["cpu_client_ns"] / count / 1e3,
        "cpu_server_us": run["cpu_server_ns"] / count / 1e3,
    }


def all_rounds(programs, chosen, cases, effort):
    """{case name: {peer name: figures}}; says on stderr where it is."""
    results = {}
    with ServerPark(programs) as park:
        for group in in_groups(cases):
            started = time.monotonic()
            with busy_processors() if group[0].is_busy else contextlib.nullcontext():
                results |= measure(programs, park, group, chosen, effort)
            titles = "; ".join(case.title for case in group)
            print(f"  {titles}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    return results



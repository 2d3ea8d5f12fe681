# SPDX-License-Identifier: Apache-2.0
"""Tests of what makes figures of runs, and tables, verdicts and pictures of figures."""
import json
import os
import pathlib
import tempfile
import types
import unittest
import xml.etree.ElementTree
from unittest import mock

import pictures
import rounds
import standing
import table
import targets
from cases import Case, all_cases, in_groups
from peers import Peer


def run(p50_ns=1000, count=100, seconds=2.0):
    return {"count": count, "seconds": seconds, "p50_ns": p50_ns, "p99_ns": 2 * p50_ns,
            "cpu_client_ns": 3000 * count, "cpu_server_ns": 1000 * count}


def figures(p50_us=1.0, per_second=1000.0):
    return {"p50_us": p50_us, "p99_us": p50_us, "per_second": per_second, "cpu_client_us": 1.0,
            "cpu_server_us": 1.0, "bytes_per_second": 1.0, "rounds": 1, "unit": "calls",
            "p50_us_spread": [p50_us, p50_us], "per_second_spread": [per_second, per_second]}


def report(cases=None, standing_figures=None):
    return {"machine": {"kernel": "6"}, "cases": cases or {}, "standing": standing_figures or {}}


def verdict(found, case, what):
    [target] = [each for each in targets.targets(found) if (each.case, each.what) == (case, what)]
    return target.verdict()


class Summary(unittest.TestCase):
    def test_is_the_median_of_the_rounds_with_their_spread(self):
        case = Case("c", "title", "unary")

        found = rounds._summary(case, [run(p50_ns=9000), run(p50_ns=1000), run(p50_ns=2000)])

        self.assertEqual(found["p50_us"], 2.0)
        self.assertEqual(found["p50_us_spread"], [1.0, 9.0])

    def test_counts_cpu_time_for_each_call_and_bytes_both_ways(self):
        found = rounds._summary(Case("c", "title", "unary", size=64), [run(count=100, seconds=2.0)])

        self.assertEqual(found["per_second"], 50.0)
        self.assertEqual(found["cpu_client_us"], 3.0)
        self.assertEqual(found["bytes_per_second"], 50.0 * 128)


class Groups(unittest.TestCase):
    def test_are_neighbours_that_are_compared_with_each_other(self):
        names = [[case.name for case in group] for group in in_groups(all_cases(quick=False))]

        self.assertIn(["streams-0", "streams-10000"], names)
        self.assertIn(["methods-4", "methods-1004"], names)
        self.assertIn(["handlers-coroutines", "handlers-functions"], names)
        self.assertIn(["loops-1", "loops-2"], names)
        self.assertIn(["connections-64"], names)

    def test_take_turns_within_each_round(self):
        cases = [Case(name, "title", name, group="g") for name in ("few", "many")]
        effort = types.SimpleNamespace(rounds=2, seconds=0.1, warmup=1.0)
        seen = []

        def client(_programs, peer, _server, case, *_, **__):
            seen.append((case, peer.name))
            return json.dumps(run())

        with mock.patch.object(rounds, "run_client", client):
            found = rounds.measure(None, mock.Mock(), cases, [Peer("p", "what", "folder")], effort)

        self.assertEqual(seen, [("few", "p"), ("many", "p")] * 2)
        self.assertEqual([found[name]["p"]["rounds"] for name in ("few", "many")], [2, 2])


class Places(unittest.TestCase):
    def test_of_a_server_are_its_own(self):
        peer = Peer("p", "what", "folder")
        apart, free = Case("a", "t", "unary", processors=(0, 1)), Case("f", "t", "unary")

        self.assertNotEqual(rounds._server_key(peer, apart), rounds._server_key(peer, free))

    def test_are_processors_that_we_may_use(self):
        usable = sorted(os.sched_getaffinity(0))

        self.assertEqual(rounds._placed((0,))[-1], str(usable[0]))
        self.assertEqual(rounds._placed(()), [])
        self.assertFalse(rounds._can_be_placed(Case("c", "t", "unary",
                                                    processors=(0, len(usable)))))


class Cases(unittest.TestCase):
    def test_are_those_of_the_peer_and_of_the_case(self):
        some = Peer("some", "what", "folder", cases=("unary-*",))
        unary, only_other = Case("unary-64", "t", "unary"), Case("unary-1", "t", "unary", peers=("other",))

        self.assertTrue(rounds._has_case(some, unary))
        self.assertFalse(rounds._has_case(some, Case("chat", "t", "chat")))
        self.assertFalse(rounds._has_case(some, only_other))


class SystemCalls(unittest.TestCase):
    TEXT = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000100           1       300       200 recvfrom
 40.00    0.000010           1       100           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.000110           1       400       200 total
"""

    def test_are_read_with_those_in_vain_apart(self):
        self.assertEqual(standing._parse(self.TEXT), {"recvfrom": (100, 200), "sendto": (100, 0)})

    def test_of_start_and_exit_cancel_out(self):
        found = standing._difference({"sendto": (110, 0), "mmap": (20, 0)},
                                     {"sendto": (310, 0), "mmap": (20, 0)}, 200)

        self.assertEqual(found, {"sendto": [1.0, 0.0]})


class Targets(unittest.TestCase):
    def test_pass_and_miss_at_their_bounds(self):
        case, what = "unary 64 B", "p50 ÷ spinning socket"
        for p50, wanted in ((4.5, "PASS"), (4.51, "MISS")):
            found = report({"unary-64": {"nearcall": figures(p50), "raw-spin": figures(3.0)}})
            self.assertEqual(verdict(found, case, what), wanted)

    def test_know_a_floor_that_is_none(self):
        found = report({"unary-64": {"nearcall": figures(4.0), "raw-spin": figures(30_000.0)}})

        self.assertEqual(verdict(found, "unary 64 B", "p50 ÷ spinning socket"), "not measured")

    def test_hold_nearcall_against_the_better_of_two_peers(self):
        found = report({"threads-8": {"nearcall": figures(per_second=500.0),
                                      "grpc++-sync": figures(per_second=100.0),
                                      "grpc++-callback": figures(per_second=101.0)}})

        self.assertEqual(verdict(found, "8 blocking threads", "calls/s ÷ grpc++ (its best)"), "MISS")

    def test_are_not_met_by_what_was_not_measured(self):
        self.assertEqual({target.verdict() for target in targets.targets(report())},
                         {"not measured"})

    def test_miss_when_a_call_makes_another_system_call(self):
        calls = {"client": {"sendto": [1.0, 0], "futex": [0.5, 0]}, "server": {"sendto": [1.0, 0]}}
        found = report(standing_figures={"system-calls": {"nearcall": calls}})
        what = "other than sending, receiving, waiting"

        self.assertEqual(verdict(found, "system calls of a unary call, client", what), "MISS")
        self.assertEqual(verdict(found, "system calls of a unary call, server", what), "PASS")


class Table(unittest.TestCase):
    def test_shows_ratios_to_the_floor_and_to_nearcall(self):
        case = Case("unary-64", "title", "unary")
        results = {"nearcall": figures(4.0, 200.0), "capnp": figures(40.0, 20.0),
                   "raw-spin": figures(2.0, 400.0)}

        text = table.markdown(report({"unary-64": results}), [case], [])

        [row] = [line for line in text.splitlines() if line.startswith("| capnp")]
        self.assertTrue(row.endswith("| 20.00 | 10.00 |"), row)

    def test_shows_a_peer_that_failed(self):
        text = table.markdown(report({"c": {"capnp": {"error": "gone"}}}), [Case("c", "t", "u")], [])

        self.assertIn("| capnp | failed |", text)


class Pictures(unittest.TestCase):
    def drawn(self, cases):
        with tempfile.TemporaryDirectory() as folder:
            pictures.draw(report(cases), pathlib.Path(folder))
            return {path.name: xml.etree.ElementTree.parse(path).getroot()
                    for path in pathlib.Path(folder).iterdir()}

    def test_have_a_curve_for_each_peer(self):
        cases = {f"unary-{size}": {"nearcall": figures(size), "capnp": figures(2 * size)}
                 for size in (0, 64, 1024)}

        found = self.drawn(cases)

        self.assertEqual(set(found), {"latency.svg"})
        lines = found["latency.svg"].findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual([len(line.get("points").split()) for line in lines], [2, 2])

    def test_are_not_drawn_of_one_point(self):
        self.assertEqual(self.drawn({"unary-64": {"nearcall": figures()}}), {})


if __name__ == "__main__":
    unittest.main()

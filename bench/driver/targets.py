# SPDX-License-Identifier: Apache-2.0
"""What the project set out to reach, each as a comparison of figures of one run."""
import dataclasses

PEERS = ("grpc++-sync", "grpc++-callback", "capnp", "dotnet")
GRPCPP = ("grpc++-sync", "grpc++-callback")


@dataclasses.dataclass(frozen=True)
class Target:
    """`measured` has to be at most (or at least) `wanted`."""
    case: str
    what: str
    measured: float | None
    wanted: float
    is_at_most: bool

    def verdict(self):
        if self.measured is None:
            return "not measured"
        is_met = self.measured <= self.wanted if self.is_at_most else self.measured >= self.wanted
        return "PASS" if is_met else "MISS"


class Figures:
    """Looks figures up; a figure that is not there is None, and so is what is made of it."""

    def __init__(self, report):
        self._cases = report["cases"]
        self._standing = report["standing"]

    def p50(self, case, peer="nearcall"):
        return self._cases.get(case, {}).get(peer, {}).get("p50_us") or None

    def rate(self, case, peer="nearcall"):
        return self._cases.get(case, {}).get(peer, {}).get("per_second") or None

    def cpu(self, case, peer="nearcall"):
        figures = self._cases.get(case, {}).get(peer, {})
        return figures.get("cpu_client_us", 0) + figures.get("cpu_server_us", 0) or None

    def server_cpu(self, case, peer="nearcall"):
        return self._cases.get(case, {}).get(peer, {}).get("cpu_server_us") or None

    def standing(self, name, key, peer="nearcall"):
        return self._standing.get(name, {}).get(peer, {}).get(key)

    def best(self, figure, case, peers, choose):
        """The best of the peers, by `choose` (min or max)."""
        values = [value for peer in peers if (value := figure(case, peer)) is not None]
        return choose(values) if values else None


def _ratio(above, below):
    return above / below if above and below else None


def _above_floor(ours, floor):
    """None where the floor itself is slower: then others had the processors, and it is no floor."""
    ratio = _ratio(ours, floor)
    return ratio if ratio and ratio >= 0.95 else None


def _latency(figures):
    p50, cpu = figures.p50, figures.cpu
    yield Target("unary 64 B", "p50 ÷ spinning socket",
                 _above_floor(p50("unary-64"), p50("unary-64", "raw-spin")), 1.5, True)
    yield Target("unary 64 B", "p50 ÷ grpc++ (its best)",
                 _ratio(p50("unary-64"), figures.best(p50, "unary-64", GRPCPP, min)), 1 / 8, True)
    yield Target("unary 64 B, spinning off", "p50 ÷ socket that parks the same way",
                 _above_floor(p50("unary-64", "nearcall-park"), p50("unary-64", "raw-poll")), 1.15,
                 True)
    yield Target("unary 64 B, spinning off", "CPU ÷ grpc++ (its best)",
                 _ratio(cpu("unary-64", "nearcall-park"),
                        figures.best(cpu, "unary-64", GRPCPP, min)), 1 / 2, True)
    apart, together = "unary-64-apart", "unary-64-together"
    yield Target("unary 64 B, spinning off, on two processors",
                 "p50 ÷ socket that parks the same way",
                 _above_floor(p50(apart, "nearcall-park"), p50(apart, "raw-poll")), 1.15, True)
    for case, what in ((apart, "two processors"), (together, "one processor")):
        yield Target(f"unary 64 B, spinning off, on {what}", "CPU ÷ grpc++ (its best)",
                     _ratio(cpu(case, "nearcall-park"),
                            figures.best(cpu, case, GRPCPP, min)), 1 / 2, True)
    functions, coroutines = "handlers-functions", "handlers-coroutines"
    yield Target("unary 64 B, spinning off, handlers on a pool", "p50 ÷ with coroutines",
                 _ratio(p50(functions, "nearcall-park"), p50(coroutines, "nearcall-park")), 2, True)
    yield Target("unary 64 B, spinning off, handlers on a pool", "p50 ÷ grpc++'s synchronous server",
                 _ratio(p50(functions, "nearcall-park"), p50(coroutines, "grpc++-sync")), 1, True)
    yield Target("unary 64 B, processors kept busy", "rate ÷ that with spinning off",
                 _ratio(figures.rate("busy"), figures.rate("busy", "nearcall-park")), 1 / 1.2, False)
    yield Target("unary 64 B, inproc:, one loop", "p50, µs", p50("unary-64", "nearcall-inproc"), 2, True)
    yield Target("unary 64 B, socket pair", "p50 ÷ over unix:",
                 _ratio(p50("unary-64", "nearcall-spawn"), p50("unary-64")), 1.1, True)
    mib = "unary-1048576"
    yield Target("unary 1 MiB", "p50, µs", p50(mib), 400, True)
    yield Target("unary 1 MiB", "p50 ÷ spinning socket", _above_floor(p50(mib), p50(mib, "raw-spin")),
                 2.5, True)
    yield Target("unary 1 MiB", "p50 ÷ grpc++ (its best)",
                 _ratio(p50(mib), figures.best(p50, mib, GRPCPP, min)), 1 / 4, True)
    yield Target("unary 1 MiB by gzip", "p50 ÷ grpc++ (its best)",
                 _ratio(p50("gzip"), figures.best(p50, "gzip", GRPCPP, min)), 1, True)


def _throughput(figures):
    rate = figures.rate
    yield Target("64 in flight", "calls/s", rate("inflight-64"), 1e6, False)
    for peer, factor in (("grpc++-sync", 15), ("grpc++-callback", 15), ("dotnet", 15),
                         ("capnp", 10)):
        yield Target("64 in flight", f"calls/s ÷ {peer}",
                     _ratio(rate("inflight-64"), rate("inflight-64", peer)), factor, False)
    yield Target("8 blocking threads", "calls/s ÷ grpc++ (its best)",
                 _ratio(rate("threads-8"), figures.best(rate, "threads-8", GRPCPP, max)), 5, False)
    yield Target("server stream 64 B", "messages/s", rate("expand"), 5e6, False)
    yield Target("server stream 64 B", "messages/s ÷ grpc++ (its best)",
                 _ratio(rate("expand"), figures.best(rate, "expand", GRPCPP, max)), 20, False)
    yield Target("server stream 64 B", "messages/s ÷ .NET",
                 _ratio(rate("expand"), rate("expand", "dotnet")), 7, False)


def _growth(figures):
    rate, p50 = figures.rate, figures.p50
    many = "connections-10000"
    yield Target("10,000 connections", "calls/s ÷ bare epoll echo",
                 _ratio(rate(many), rate(many, "raw-poll")), 1 / 2, False)
    yield Target("10,000 connections", "calls/s ÷ our own at 64",
                 _ratio(rate(many), rate("connections-64")), 1 / 2, False)
    one, two = (figures.server_cpu(f"loops-{loops}", "nearcall-park") for loops in (1, 2))
    yield Target("64 connections, spinning off", "the server's CPU on two threads ÷ on one",
                 _ratio(two, one), 1.05, True)
    one, two = (figures.server_cpu(f"loops-{loops}-together", "nearcall-park") for loops in (1, 2))
    yield Target("64 connections, spinning off, on one processor",
                 "the server's CPU on two threads ÷ on one", _ratio(two, one), 1.05, True)
    yield Target("10,000 streams open", "p50 of one more call ÷ without them",
                 _ratio(p50("streams-10000"), p50("streams-0")), 1.1, True)
    yield Target("1,004 methods registered", "p50 ÷ with 4",
                 _ratio(p50("methods-1004"), p50("methods-4")), 1.1, True)


def _standing(figures):
    standing = figures.standing
    rss = standing("idle", "rss_kib")
    yield Target("idle server", "RSS, MB", rss and rss * 1024 / 1e6, 6.5, True)
    yield Target("idle server", "threads", standing("idle", "threads"), 1, True)
    yield Target("idle server", "CPU, ms/s", standing("idle", "cpu_ms_per_s"), 0, True)
    yield Target("one more idle connection", "KiB", standing("idle-connection", "kib_each"), 4, True)
    start = standing("start", "client_ms")
    yield Target("start, call, exit", "ms", start, 3, True)
    theirs = [value for peer in GRPCPP if (value := standing("start", "client_ms", peer))]
    yield Target("start, call, exit", "÷ grpc++ (its best)",
                 _ratio(start, min(theirs, default=None)), 1 / 4, True)
    yield Target("a call that waits, from the server's return", "p99, ms",
                 standing("return", "p99_ms"), 10, True)


# The only system calls that may be on the path of one unary call.
ON_THE_PATH = {"sendto", "sendmsg", "recvfrom", "recvmsg", "ppoll", "poll", "epoll_wait",
               "epoll_pwait", "epoll_pwait2"}


def _system_calls(figures):
    for side in ("client", "server"):
        calls = figures.standing("system-calls", side)
        sends = others = None
        if calls is not None:
            sends = sum(calls.get(name, [0, 0])[0] for name in ("sendto", "sendmsg"))
            others = sum(sum(each) for name, each in calls.items() if name not in ON_THE_PATH)
        yield Target(f"system calls of a unary call, {side}", "sends", sends, 1.01, True)
        yield Target(f"system calls of a unary call, {side}",
                     "other than sending, receiving, waiting", others, 0.01, True)


def targets(report):
    figures = Figures(report)
    for part in (_latency, _throughput, _growth, _standing, _system_calls):
        yield from part(figures)


def markdown(found):
    lines = ["### Targets", "", "| case | figure | measured | wanted | |", "|---|---|---:|---:|---|"]
    for target in found:
        measured = "–" if target.measured is None else f"{target.measured:,.4g}"
        sign = "≤" if target.is_at_most else "≥"
        lines.append(f"| {target.case} | {target.what} | {measured} | {sign} {target.wanted:,.4g} "
                     f"| {target.verdict()} |")
    return "\n".join(lines + [""])

# SPDX-License-Identifier: Apache-2.0
"""The cases that are measured over time, and the options that tell a client of them."""
import dataclasses
import itertools

SIZES = (0, 64, 1024, 4096, 16384, 65536, 262144, 1 << 20, 4 << 20, 16 << 20)
QUICK_SIZES = (64, 16384, 1 << 20)
IN_FLIGHT = (1, 4, 16, 64, 256)
QUICK_IN_FLIGHT = (1, 64)
CONNECTIONS = (1, 64, 1000, 10_000)
QUICK_CONNECTIONS = (1, 64, 1000)
MiB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    """One line of the comparison."""
    name: str
    title: str
    client: str  # the case as the clients know it
    options: tuple = ()
    server_options: tuple = ()
    size: int = 64
    unit: str = "calls"  # or "messages"
    connections: int = 1
    peers: tuple = ()  # empty: all that have it
    is_busy: bool = False  # while other programs keep every processor busy
    processors: tuple = ()  # of the server and of the client, by position; empty: as they come
    # Those with the same take turns within each round, as peers do: their ratio is a target, and what
    # else the machine does in one second or the next is no part of it.
    group: str = ""

    def bytes_per_unit(self):
        """Payload that crosses the socket for each call or message."""
        both_ways = self.unit == "calls" or self.client == "flood"
        return self.size * (2 if both_ways else 1)


def _text(size):
    for unit, name in ((MiB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def _unary(size):
    return Case(f"unary-{size}", f"unary {_text(size)}, one at a time", "unary",
                ("--size", size), size=size)


def _in_flight(count):
    return Case(f"inflight-{count}", f"unary 64 B, {count} in flight on one connection",
                "pipelined", ("--inflight", count))


def _threads(count):
    return Case(f"threads-{count}", f"unary 64 B, {count} blocking threads on one channel",
                "unary", ("--threads", count))


def _stream(client, title):
    return Case(client, title, client, unit="messages")


def _connections(count):
    where = "1 connection" if count == 1 else f"{count:,} connections"
    return Case(f"connections-{count}", f"unary 64 B, 64 in flight over {where}",
                "pipelined", ("--inflight", 64, "--connections", count), connections=count)


OURS = ("nearcall", "nearcall-park")
# Those that sleep while they wait. Who spins sees that it has but one processor, and does not.
SLEEPERS = ("nearcall-park", "grpc++-sync", "grpc++-callback", "capnp", "dotnet", "raw-block",
            "raw-poll")


def all_cases(quick):
    """In the order in which they are measured and shown."""
    sizes = QUICK_SIZES if quick else SIZES
    in_flight = QUICK_IN_FLIGHT if quick else IN_FLIGHT
    connections = QUICK_CONNECTIONS if quick else CONNECTIONS
    threads = (8,) if quick else (1, 2, 8)
    yield from map(_unary, sizes)
    yield Case("unary-64-apart", "unary 64 B, one at a time, each side on a processor of its own",
               "unary", processors=(0, 1), peers=SLEEPERS)
    yield Case("unary-64-together", "unary 64 B, one at a time, both sides on one processor", "unary",
               processors=(0, 0), peers=SLEEPERS)
    yield Case("gzip", "unary 1 MiB, one at a time, request and reply compressed by gzip", "unary",
               ("--size", MiB, "--gzip", 1), ("--gzip", 1), size=MiB,
               peers=(*OURS, "grpc++-sync", "grpc++-callback"))
    yield from map(_in_flight, in_flight)
    yield from map(_threads, threads)
    yield _stream("expand", "server stream, 64 B")
    yield _stream("collect", "client stream, 64 B")
    yield _stream("flood", "bidirectional stream, 64 B, echoed")
    yield Case("chat", "bidirectional stream, 64 B, ping-pong", "chat")
    yield from map(_connections, connections)
    yield Case("busy", "unary 64 B, one at a time, while every processor is kept busy by others",
               "unary", is_busy=True)
    yield Case("handlers-coroutines", "unary 64 B, one at a time, handlers as they come", "unary",
               peers=("nearcall-park", "grpc++-sync"), group="handlers")
    yield Case("handlers-functions", "unary 64 B, one at a time, handlers are functions on a pool",
               "unary", server_options=("--functions", 1), peers=("nearcall-park",),
               group="handlers")
    for loops in (1, 2):
        yield Case(f"loops-{loops}", "unary 64 B, 64 in flight over 64 connections, the server on "
                   f"{loops} thread{'s' * (loops > 1)}", "pipelined",
                   ("--inflight", 64, "--connections", 64), ("--threads", loops), connections=64,
                   peers=("nearcall-park",), group="loops")
    # There a loop finds all that came when it wakes, however many there are.
    for loops in (1, 2):
        yield Case(f"loops-{loops}-together", "unary 64 B, 64 in flight over 64 connections, both sides on "
                   f"one processor, the server on {loops} thread{'s' * (loops > 1)}", "pipelined",
                   ("--inflight", 64, "--connections", 64), ("--threads", loops), connections=64,
                   peers=("nearcall-park",), processors=(0, 0), group="loops-together")
    yield Case("streams-0", "unary 64 B, awaited, no other stream", "open_streams",
               ("--streams", 0), peers=OURS, group="streams")
    yield Case("streams-10000", "unary 64 B, awaited, beside 10,000 open streams", "open_streams",
               ("--streams", 10_000), peers=OURS, group="streams")
    yield Case("methods-4", "unary 64 B, 4 methods registered", "unary", peers=OURS,
               group="methods")
    yield Case("methods-1004", "unary 64 B, 1,004 methods registered", "unary",
               server_options=("--methods", 1000), peers=OURS, group="methods")


def in_groups(cases):
    """Lists of those that are measured together: the neighbours of one group, or one that has none."""
    return [list(group) for _, group in
            itertools.groupby(cases, key=lambda case: case.group or case.name)]

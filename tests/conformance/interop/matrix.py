#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the gRPC interop cases between real programs over Unix sockets and prints the matrix.

Each pair gets a fresh server process on a socket in a fresh directory; each case is one run of the
client program. With --via a proxy is between them, to which clients come over TCP. The last column
says whether the server then stopped cleanly on SIGTERM. With --rows a run leaves its rows in a
folder, and --show makes one table of all that are there.
Exit code: 0 all ok, 1 something failed, 77 nothing could be run.
"""

import argparse
import contextlib
import functools
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "support"))
import proxy  # noqa: E402

CASES = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
    "empty_stream", "custom_metadata", "status_code_and_message", "special_status_message",
    "unimplemented_method", "unimplemented_service", "timeout_on_sleeping_server",
    "cancel_after_begin", "cancel_after_first_response", "health", "reflection", "rich_error",
    "client_compressed_unary", "server_compressed_unary", "client_compressed_streaming",
    "server_compressed_streaming", "rpc_soak", "channel_soak",
)
PEERS = ("nearcall", "grpcpp", "python", "ruby", "grpcgo", "grpcjs", "dotnet", "dotnet_npipe",
         "grpcpp_gzip", "buf")
# Of what is no part of TestService: who asks for it, and who has it.
SERVICES = {
    "health": (("nearcall", "python", "grpcjs", "dotnet", "dotnet_npipe", "buf"),
               ("nearcall", "grpcpp", "grpcpp_gzip", "grpcjs", "dotnet", "dotnet_npipe")),
    "reflection": (("nearcall", "python", "dotnet", "dotnet_npipe", "buf"),
                   ("nearcall", "grpcpp", "grpcpp_gzip", "grpcjs", "dotnet", "dotnet_npipe")),
    "rich_error": (("nearcall", "python", "dotnet", "dotnet_npipe"),
                   ("nearcall", "dotnet", "dotnet_npipe")),
}
BUF = "buf"  # asks for services alone, and meets nearcall: the others have tests of their own
PROXIES = ("nginx", "haproxy")
PIPED = "dotnet_npipe"  # is met at a named pipe
STOPS = "stops"  # the name of the last column
SEE_COMPRESSION = {"nearcall", "grpcpp"}
SOAK = {"nearcall", "grpcpp"}
ABSENT = "-"  # the pair has no such case
STARTING = 20  # seconds that a server may take to say READY
STOPPING = 10  # seconds that it may take to stop
NOTHING_RAN = 77

# ("client → server", case): why it fails through no fault of nearcall. Such a failure is printed and
# does not count. Empty, and meant to stay so: all pairs of peers pass all cases.
KNOWN = {}


def has_pair(client, server):
    """Whether the two can meet at all: few know named pipes."""
    if BUF in (client, server):
        return (client, server) == (BUF, "nearcall")
    return PIPED not in (client, server) or {client, server} <= {PIPED, "nearcall"}


def has_case(client, server, case):
    """Whether the pair runs the case at all."""
    if case in SERVICES:
        askers, havers = SERVICES[case]
        return client in askers and server in havers
    if "_compressed_" in case:  # few peers can see whether a message was compressed
        return {client, server} <= SEE_COMPRESSION
    if case.endswith("_soak"):
        return {client, server} <= SOAK
    return client != BUF


class Unavailable(Exception):
    """Why a peer's program cannot be run here."""


@functools.lru_cache(maxsize=None)
def python_with_grpc():
    for python in (sys.executable, "/usr/bin/python3"):
        probe = [python, "-c", "import grpc, google.protobuf"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    raise Unavailable("no python3 with grpcio and protobuf")


@functools.lru_cache(maxsize=None)
def ruby_with_grpc():
    probe = ["ruby", "-e", "gem 'grpc'"]
    if shutil.which("ruby") and subprocess.run(probe, stderr=subprocess.DEVNULL,
                                               check=False).returncode == 0:
        return "ruby"
    raise Unavailable("no ruby with grpc: Debian's ruby-grpc has it")


def existing(path, remedy):
    if not pathlib.Path(path).exists():
        raise Unavailable(f"no {path}: {remedy}")
    return str(path)


def installed(program):
    found = shutil.which(program)
    if not found:
        raise Unavailable(f"no {program} on this machine")
    return found


class Programs:
    """The command lines of the peers; a new peer is a new entry here."""

    def __init__(self, options):
        self._options = options
        self._built = pathlib.Path(options.programs_dir)
        self._tools = pathlib.Path(options.tools_dir)

    def command(self, peer, side):
        """The command that starts `peer`'s `side` ("server" or "client"), without its flags."""
        makers = {
            "nearcall": lambda: [self._nearcall(side)],
            "grpcpp": lambda: [self._grpcpp(side)],
            "grpcpp_gzip": lambda: [self._grpcpp(side), "--compression=gzip"],
            "python": lambda: [
                python_with_grpc(), str(HERE / "python" / f"{side}.py"),
                "--protoset=" + existing(self._built / "contract.protoset", "not built")],
            "ruby": lambda: [
                ruby_with_grpc(), str(HERE / "ruby" / f"{side}.rb"),
                "--generated=" + existing(self._built / "ruby", "not built")],
            "grpcgo": lambda: [
                existing(self._tools / "grpcgo/interop_peer", "run setup.sh"), side],
            "grpcjs": lambda: [
                "env", "NODE_PATH=" + existing(self._tools / "grpcjs/node_modules", "run setup.sh"),
                installed("node"), str(HERE / "grpcjs" / f"{side}.js")],
            "dotnet": lambda: self._dotnet(side),
            "dotnet_npipe": lambda: self._dotnet(side),
            "buf": lambda: [
                sys.executable, str(HERE / "buf" / f"{side}.py"),
                "--buf=" + existing(self._tools / "grpcjs/node_modules/.bin/buf", "run setup.sh")],
        }
        return makers[peer]()

    def proxy(self, name):
        """The command that starts that proxy, without what it is in front of."""
        if not proxy.find(name, self._tools)[0]:
            raise Unavailable(f"no {name}: run setup.sh")
        return [proxy.__file__, name, f"--tools-dir={self._tools}", "--front=tcp"]

    def _grpcpp(self, side):
        return existing(self._built / f"grpcpp_interop_{side}", "not built")

    def _dotnet(self, side):
        peer = self._tools / "dotnet/bin/interop_peer/release/interop_peer.dll"
        return [installed("dotnet"), existing(peer, "run setup.sh"), side]

    def _nearcall(self, side):
        given = getattr(self._options, f"nearcall_{side}")
        return existing(given or self._built / f"nearcall_interop_{side}", "not built")


def environment(folder):
    """Ours without proxies: some clients would send even a Unix socket's traffic there. Named pipes
    lie in the folder for temporary files."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    kept.update(TMPDIR=folder, DOTNET_CLI_TELEMETRY_OPTOUT="1", DOTNET_NOLOGO="1",
                PYTHONDONTWRITEBYTECODE="1")
    return kept


class Server:
    """A running server process; use as a context."""

    def __init__(self, command, address, folder, errors):
        self._errors = errors
        self._process = subprocess.Popen(
            [*command, f"--address={address}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors, env=environment(folder))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def wait_until_ready(self):
        """None once the server listens, else what went wrong."""
        said = b""
        give_up = time.monotonic() + STARTING
        while b"READY\n" not in said:
            left = give_up - time.monotonic()
            if left <= 0:
                return f"the server did not say READY within {STARTING} s"
            if select.select([self._process.stdout], [], [], left)[0]:
                piece = os.read(self._process.stdout.fileno(), 4096)
                if not piece:
                    return f"the server ended before it was ready; {self.last_words()}"
                said += piece
        return None

    def death(self):
        """None while the server runs, else how it ended."""
        if self._process.poll() is None:
            return None
        return f"the server is gone, exit code {self._process.returncode}; {self.last_words()}"

    def stop(self):
        """None if the server stops on SIGTERM with exit code 0, else what it did."""
        if death := self.death():
            return death
        self._process.terminate()
        try:
            code = self._process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            return f"the server still ran {STOPPING} s after SIGTERM"
        return None if code == 0 else f"exit code {code} after SIGTERM; {self.last_words()}"

    def last_words(self):
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        return f"its stderr: {text[-2000:]}" if text else "it said nothing"


@contextlib.contextmanager
def entrance(proxy_command, address, folder, errors):
    """Where clients of a server connect: at its address, or at a proxy's."""
    if not proxy_command:
        yield address
        return
    own = os.path.join(folder, "proxy")
    os.mkdir(own)
    with subprocess.Popen([*proxy_command, f"--back={address}", f"--folder={own}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                          env=environment(folder)) as process:
        try:
            target = process.stdout.readline().decode().strip()
            yield target or f"nowhere, since the proxy ended with {process.wait()}"
        finally:
            process.terminate()


def run_client(command, address, case, folder, timeout):
    """None if the case passed, else what the client said."""
    try:
        done = subprocess.run(
            [*command, f"--address={address}", f"--test_case={case}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
            env=environment(folder), check=False)
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace").strip()
        return f"the client still ran after {timeout} s; {said[-2000:]}"
    if done.returncode == 0:
        return None
    said = done.stdout.decode(errors="replace").strip()
    return f"exit code {done.returncode}: {said[-2000:]}"


def run_pair(programs, client, server, options):
    """Runs all cases of one pair; yields (case, None, ABSENT or the failure)."""
    server_command = programs.command(server, "server")
    client_command = programs.command(client, "client")
    proxy_command = programs.proxy(options.via) if options.via else None
    with tempfile.TemporaryDirectory(prefix="interop-") as folder, \
            open(os.path.join(folder, "stderr"), "w+b") as errors:
        # A pipe's name is one in TMPDIR, or a path.
        piped = {client: "npipe:s", server: f"npipe:{folder}/s"}
        address = piped.get(PIPED, f"unix:{folder}/s")
        with Server(server_command, address, folder, errors) as running, \
                entrance(proxy_command, address, folder, errors) as met_at:
            broken = running.wait_until_ready()
            for case in options.cases:
                if not has_case(client, server, case):
                    yield case, ABSENT
                    continue
                failure = broken or run_client(client_command, met_at, case, folder, options.timeout)
                if failure and not broken:
                    broken = running.death()
                yield case, failure
            yield STOPS, running.stop()


class Rows:
    """A folder with a file for each pair: its row of the table, for a later --show."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    def put(self, pair, row):
        """Under the server's name first."""
        name = ".".join(reversed(pair.split(" → ")))
        (self._folder / name).write_text(row + "\n", encoding="utf-8")

    def all(self):
        """The rows, nearcall's own first."""
        files = sorted(self._folder.iterdir(),
                       key=lambda path: ("nearcall" not in path.name, path.name))
        return [path.read_text(encoding="utf-8").rstrip("\n") for path in files]


class Matrix:
    """The table on stdout, a row at a time, and what is said below it."""

    WIDTH = 5
    NAMES = 30

    def __init__(self, cases, rows=None):
        self._cases = cases
        self._rows = rows
        self._failures = []
        self._notes = []
        self.ran = 0

    @property
    def failed(self):
        return bool(self._failures)

    def header(self):
        for number, case in enumerate(self._cases, 1):
            print(f"{number:>4} {case}")
        numbers = [str(number) for number in range(1, len(self._cases) + 1)]
        columns = "".join(name.rjust(self.WIDTH) for name in numbers)
        print(f"\n{'client → server':<{self.NAMES}}{columns}  {STOPS}     s")

    def row(self, pair, results):
        row = f"{pair:<{self.NAMES}}"
        print(row, end="", flush=True)
        if self._rows:
            self._rows.put(pair, row + "FAIL: did not finish".rjust(self.WIDTH))
        started = time.monotonic()
        for case, failure in results:
            verdict = ABSENT if failure == ABSENT else self._verdict(pair, case, failure)
            print(verdict.rjust(self.WIDTH), end="", flush=True)
            row += verdict.rjust(self.WIDTH)
            self.ran += failure != ABSENT
        took = f"  {time.monotonic() - started:6.1f}"
        print(took)
        if self._rows:
            self._rows.put(pair, row + took)

    def skip(self, pair, reason, is_failure):
        row = f"{pair:<{self.NAMES}} skip: {reason}"
        print(row)
        if self._rows:
            self._rows.put(pair, row)
        if is_failure:
            self._failures.append(f"{pair}: skipped, and skips are not allowed")

    def footer(self):
        for note in self._notes:
            print(f"\nknown: {note}")
        for failure in self._failures:
            print(f"\nFAIL {failure}")

    def _verdict(self, pair, case, failure):
        name = f"{pair}, {case}"
        reason = KNOWN.get((pair, case))
        if failure is None:
            if reason:
                self._notes.append(f"{name} passes now; it need not be listed ({reason})")
            return "ok"
        if reason:
            self._notes.append(f"{name}: {reason}")
            return "known"
        self._failures.append(f"{name}: {failure}")
        return "FAIL"


def names(allowed):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(allowed)}")
        return chosen
    return parse


def parse_flags():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--servers", type=names(PEERS), default=PEERS, metavar="A,B")
    flags.add_argument("--clients", type=names(PEERS), default=PEERS, metavar="A,B")
    flags.add_argument("--via", choices=PROXIES, help="a proxy between the two")
    flags.add_argument("--cases", type=names(CASES), default=CASES, metavar="X,Y")
    flags.add_argument("--programs-dir", default=".", help="where CMake put the programs")
    flags.add_argument("--tools-dir", default=".", help="the folder that setup.sh has filled")
    flags.add_argument("--nearcall-server", help="this program instead of the one in programs-dir")
    flags.add_argument("--nearcall-client", help="this program instead of the one in programs-dir")
    flags.add_argument("--timeout", type=float, default=20, help="seconds for one case")
    flags.add_argument("--rows", type=Rows, metavar="DIR", help="a folder for the rows of the table")
    flags.add_argument("--show", action="store_true", help="only print the table of --rows")
    flags.add_argument("--no-skips", action="store_true", help="a missing peer is a failure")
    return flags.parse_args()


def show(matrix, rows):
    """Prints the table of what other runs have left."""
    if not rows:
        return NOTHING_RAN
    matrix.header()
    for row in rows:
        print(row)
    return 1 if any(" FAIL" in row for row in rows) else 0


def main():
    options = parse_flags()
    programs = Programs(options)
    matrix = Matrix(options.cases, options.rows)
    if options.show:
        return show(matrix, options.rows.all())
    matrix.header()
    for server in options.servers:
        for client in options.clients:
            if not has_pair(client, server):
                continue
            pair = " → ".join(filter(None, (client, options.via, server)))
            try:
                programs.command(server, "server")
                programs.command(client, "client")
                if options.via:
                    programs.proxy(options.via)
            except Unavailable as reason:
                matrix.skip(pair, reason, options.no_skips)
                continue
            matrix.row(pair, run_pair(programs, client, server, options))
    matrix.footer()
    if matrix.failed:
        return 1
    return 0 if matrix.ran else NOTHING_RAN


if __name__ == "__main__":
    sys.exit(main())

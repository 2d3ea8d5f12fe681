# SPDX-License-Identifier: Apache-2.0
"""The implementations that are compared: how their servers and clients are started, and what exists."""
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

NO_SUCH_CASE = 77
START_TIMEOUT = 30
CLIENT_TIMEOUT = 60


@dataclasses.dataclass(frozen=True)
class Peer:
    """One implementation in one form. `is_floor`: no RPC, what the kernel or the memory allows."""
    name: str
    what: str
    folder: str  # bench/FOLDER, and the first word of its programs
    mode: str = ""
    is_floor: bool = False
    warmup: float = 0.1  # seconds
    max_connections: int = 10_000
    cases: tuple = ()  # patterns of those that it has; empty: whatever its client knows
    has_process: bool = True  # of its own, for a server that clients find at an address


PEERS = (
    Peer("nearcall", "nearcall, as it comes", "nearcall"),
    Peer("nearcall-park", "nearcall, SpinPolicy::off() on both sides", "nearcall", "park"),
    Peer("nearcall-inproc", "nearcall, `inproc:`, server and client on one loop", "nearcall", "inproc",
         cases=("unary-*", "inflight-*", "flood"), has_process=False),
    Peer("nearcall-spawn", "nearcall, the server a child of the client's, over a socket pair", "nearcall",
         "spawn", cases=("unary-*",), has_process=False),
    Peer("grpc++-sync", "grpc++, synchronous server; calls in flight over a completion queue",
         "grpcpp", "sync", max_connections=1000),
    Peer("grpc++-callback", "grpc++, callback server; calls in flight with callbacks",
         "grpcpp", "callback", max_connections=1000),
    Peer("capnp", "Cap'n Proto RPC", "capnp"),
    Peer("dotnet", ".NET: Kestrel and GrpcChannel", "dotnet", warmup=1.0, max_connections=1000),
    Peer("raw-spin", "a bare socket, both sides spinning", "floor", "spin", is_floor=True),
    Peer("raw-block", "a bare socket, both sides blocked in recv()", "floor", "block",
         is_floor=True),
    Peer("raw-poll", "a bare socket, parked as nearcall parks: ppoll() on two descriptors at the"
         " client, epoll_wait() at the server", "floor", "epoll", is_floor=True),
    Peer("raw-ring", "a bare ring in shared memory, both sides spinning", "floor", "ring",
         is_floor=True),
)


class ClientFailed(Exception):
    """The client ended with an error, which the text says."""


class Programs:
    """Where the programs are, and how they are called."""

    def __init__(self, build):
        self._programs = pathlib.Path(build, "bench", "programs")
        self._dotnet = pathlib.Path(build, "dotnet", "bin", "bench_dotnet", "release",
                                    "bench_dotnet.dll")

    def has(self, peer):
        if peer.folder == "dotnet":
            return self._dotnet.exists() and shutil.which("dotnet") is not None
        return (self._programs / f"{peer.folder}_client").exists()

    def command(self, peer, side, *options):
        if peer.folder == "dotnet":
            start = ["dotnet", str(self._dotnet), side]
        else:
            start = [str(self._programs / f"{peer.folder}_{side}")]
        mode = ["--mode", peer.mode] if peer.mode and peer.folder != "dotnet" else []
        return [*start, *mode, *(str(option) for option in options)]

    def start_exit(self, repeats, command, socket=""):
        """Times `command`; with `socket`, one of a server that listens there."""
        return [str(self._programs / "common_start_exit"), str(repeats), socket or "-", *command]


class Server:
    """A server process on a socket of its own: `with Server(programs, peer) as server:`."""

    def __init__(self, programs, peer, *options, prefix=(), address=""):
        self._folder = tempfile.TemporaryDirectory(prefix="nearcall-bench-")
        self.address = address or f"unix:{self._folder.name}/s"
        command = programs.command(peer, "server", "--address", self.address, *options)
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        line = self._process.stdout.readline()
        if line.strip() != "READY":
            self._process.kill()
            error = self._process.stderr.read()
            self._folder.cleanup()
            raise ClientFailed(f"{peer.name}: the server did not start: {error.strip()[-300:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, pid=None):
        """Ends it; `pid`: whom to tell, if that is not the process that was started."""
        if self._process.poll() is None:
            os.kill(pid or self.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
        self._folder.cleanup()

    def listens_since(self):
        """Nanoseconds of the monotonic clock."""
        return int(self._process.stdout.readline().removeprefix("LISTENS "))

    def memory_kib(self):
        return self._status("VmRSS")

    def threads(self):
        return self._status("Threads")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, key):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)


def run_client(programs, peer, server, case, *options, prefix=()):
    """What the client prints; None where this implementation has no such case."""
    command = programs.command(peer, "client", "--case", case, "--address", server.address, *options)
    try:
        done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False,
                              timeout=CLIENT_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise ClientFailed(f"{peer.name}: {case} took more than {CLIENT_TIMEOUT} s") from error
    if done.returncode == NO_SUCH_CASE:
        return None
    if done.returncode != 0:
        raise ClientFailed(f"{peer.name}: {case} failed: {done.stderr.strip()[-300:]}")
    return done.stdout

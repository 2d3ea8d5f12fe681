# SPDX-License-Identifier: Apache-2.0
"""What is not measured over time: memory, threads, start and exit, system calls of each call."""
import json
import pathlib
import re
import subprocess
import tempfile
import time

from peers import CLIENT_TIMEOUT, NO_SUCH_CASE, ClientFailed, Server, run_client


# Seconds for which a server is away; some hit a client in the middle of a pause.
ABSENCES = (0.01, 0.05, 0.12, 0.03, 0.2)


def idle_server(programs, peer, effort):
    """Memory, threads and CPU time of a server that has answered one call and waits."""
    with Server(programs, peer) as server:
        run_client(programs, peer, server, "once")
        time.sleep(0.5)
        before = server.cpu_seconds()
        time.sleep(effort.idle_seconds)
        return {"rss_kib": server.memory_kib(), "threads": server.threads(),
                "cpu_ms_per_s": 1000 * (server.cpu_seconds() - before) / effort.idle_seconds}


def idle_connection(programs, peer, effort):
    """The server's memory for one more idle connection, each of which has had one call."""
    count = effort.idle_connections
    with Server(programs, peer) as server:
        run_client(programs, peer, server, "once")
        before = server.memory_kib()
        command = programs.command(peer, "client", "--case", "hold", "--address", server.address,
                                   "--connections", count)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as client:
            if client.stdout.readline().strip() != "HELD":
                client.kill()
                raise ClientFailed(f"{peer.name}: could not hold {count} connections")
            grown = server.memory_kib() - before
            client.stdin.close()
        return {"connections": count, "kib_each": grown / count}


def start_and_exit(programs, peer, effort):
    """How long processes take: a client to start, call once, exit; a server to start, be ready,
    and exit."""
    with Server(programs, peer) as server:
        client = programs.command(peer, "client", "--case", "once", "--address", server.address)
        client_times = _timed(programs.start_exit(effort.starts, client))
    with tempfile.TemporaryDirectory(prefix="nearcall-bench-") as folder:
        path = f"{folder}/s"
        server = programs.command(peer, "server", "--address", f"unix:{path}")
        server_times = _timed(programs.start_exit(effort.starts, server, socket=path))
    return {"client_ms": client_times["p50_ns"] / 1e6, "client_p99_ms": client_times["p99_ns"] / 1e6,
            "server_ms": server_times["p50_ns"] / 1e6}


def _timed(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=CLIENT_TIMEOUT)
    if done.returncode != 0:
        raise ClientFailed(f"{command[-4:]} failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def server_return(programs, peer, effort):
    """How long after a server's return a call is answered that has waited for it: from its listen().
    Of those who pause for a second few returns are measured."""
    count = effort.returns if peer.name.startswith("nearcall") else effort.returns_of_peers
    times = []
    with tempfile.TemporaryDirectory(prefix="nearcall-bench-") as folder:
        address = f"unix:{folder}/s"
        server = Server(programs, peer, address=address)
        command = programs.command(peer, "client", "--case", "return", "--address", address)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as client:
            try:
                for number in range(count + 1):
                    line = client.stdout.readline()
                    if not line and client.wait(10) == NO_SUCH_CASE:
                        return {}
                    if not line.startswith("ANSWERED "):
                        raise ClientFailed(f"{peer.name}: no answer after {number} returns")
                    if number > 0:
                        times.append(int(line.split()[1]) - server.listens_since())
                    server.stop()
                    if number == count:
                        break
                    time.sleep(0.05)  # it has noticed
                    print(file=client.stdin, flush=True)
                    time.sleep(ABSENCES[number % len(ABSENCES)])
                    server = Server(programs, peer, address=address)
            finally:
                server.stop()
                client.kill()
    times.sort()
    return {"returns": count, "p50_ms": times[len(times) // 2] / 1e6,
            "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] / 1e6}


# ---- system calls --------------------------------------------------------------------------------

# "% time  seconds  usecs/call  calls  [errors]  syscall"
STRACE_LINE = re.compile(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:(\d+)\s+)?([a-z]\w+)$")


def system_calls(size, few, many):
    """System calls of each side for one unary call, one at a time: the difference between a run of
    many and one of few, so that start and exit cancel out. Those that failed (looks at an empty
    socket) are told apart. A traced process is slow: one that spins looks fewer times than else."""
    def count(programs, peer, _):
        runs = [_traced_run(programs, peer, size, calls) for calls in (few, many)]
        return {side: _difference(runs[0][side], runs[1][side], many - few)
                for side in ("client", "server")}
    return count


def _traced_run(programs, peer, size, calls):
    with tempfile.TemporaryDirectory(prefix="nearcall-bench-") as folder:
        def trace(name):
            return ["strace", "-f", "-c", "-o", f"{folder}/{name}"]
        server = Server(programs, peer, prefix=trace("server"))
        try:
            run_client(programs, peer, server, "unary", "--size", size, "--calls", calls,
                       prefix=trace("client"))
        finally:
            server.stop(_child_of(server.pid))
        return {side: _parse(pathlib.Path(folder, side).read_text()) for side in ("client", "server")}


def _child_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])


def _parse(text):
    counts = {}
    for line in text.splitlines():
        found = STRACE_LINE.match(line)
        if found and found[3] != "total":
            errors = int(found[2] or 0)
            counts[found[3]] = (int(found[1]) - errors, errors)
    return counts


def _difference(few, many, calls):
    """{system call: [successful, failed] for each call}, those that matter, the commonest first."""
    result = {}
    for name, counts in many.items():
        base = few.get(name, (0, 0))
        each = [(count - before) / calls for count, before in zip(counts, base)]
        if sum(each) >= 0.005:
            result[name] = [round(value, 2) for value in each]
    return dict(sorted(result.items(), key=lambda item: -sum(item[1])))


STANDING = {
    "idle": idle_server,
    "idle-connection": idle_connection,
    "start": start_and_exit,
    "return": server_return,
    "system-calls": system_calls(size=64, few=1000, many=3000),
    "system-calls-1MiB": system_calls(size=1 << 20, few=20, many=60),
}


def all_standing(programs, chosen, names, effort):
    """{name: {peer name: figures}} of the peers that are no floors."""
    results = {}
    for name in names:
        results[name] = {}
        for peer in chosen:
            is_traced = name.startswith("system-calls")
            is_ours = peer.name.startswith("nearcall")
            if is_traced:
                is_wanted = is_ours or effort.traces_peers
            else:
                is_wanted = not peer.is_floor
            if not is_wanted or not peer.has_process:
                continue
            try:
                results[name][peer.name] = STANDING[name](programs, peer, effort)
            except (ClientFailed, OSError, subprocess.TimeoutExpired) as error:
                results[name][peer.name] = {"error": str(error)}
    return results

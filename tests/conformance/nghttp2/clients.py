#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs h2load or nghttp against the interop server: every call has to succeed, and the server has to
stop cleanly afterwards.

    clients.py h2load|nghttp SERVER

Exit code: 0 all ok, 1 something failed, 77 the tool is not installed.
"""

import asyncio
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SERVICE = "http://localhost/grpc.testing.TestService"
HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
LIMIT = 60  # seconds that anything may take
SKIPPED = 77


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, content):
    """A protobuf field: a number, or bytes with their length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def message(content):
    """As gRPC frames it."""
    return b"\0" + len(content).to_bytes(4, "big") + content


EMPTY = message(b"")
# SimpleRequest: response_size = 2, payload = 3; Payload: body = 2.
LARGE_ANSWER = message(field(2, 300_000))
LARGE_BOTH = message(field(2, 1_000_000) + field(3, field(2, b"x" * 1_000_000)))
# StreamingOutputCallRequest: response_parameters = 2; ResponseParameters: size = 1.
MANY_ANSWERS = message(b"".join(field(2, field(1, size)) for size in [0, 1, 50_000] * 30))

# What is called with what, and h2load's flags: how many calls, connections, streams each; windows of
# 2^w - 1 bytes a stream and 2^W - 1 a connection.
LOADS = {
    "small calls on one connection": ("EmptyCall", EMPTY, "-n 20000 -c 1 -m 100"),
    "one call at a time": ("EmptyCall", EMPTY, "-n 500 -c 1 -m 1"),
    "many connections": ("EmptyCall", EMPTY, "-n 20000 -c 50 -m 20"),
    "nearly as many streams as the server has slots": ("EmptyCall", EMPTY, "-n 5000 -c 1 -m 999"),
    "large answers, small windows": ("UnaryCall", LARGE_ANSWER, "-n 200 -c 4 -m 10 -w 16 -W 16"),
    "large answers, tiny windows": ("UnaryCall", LARGE_ANSWER, "-n 20 -c 2 -m 5 -w 10 -W 12"),
    "large both ways": ("UnaryCall", LARGE_BOTH, "-n 100 -c 2 -m 10"),
    "large frames": ("UnaryCall", LARGE_ANSWER, "-n 200 -c 2 -m 10 -f 1M"),
    "streams of answers": ("StreamingOutputCall", MANY_ANSWERS, "-n 200 -c 4 -m 10 -w 15"),
}


class Server:
    def __init__(self, program, path):
        self._process = subprocess.Popen([program, f"--address=unix:{path}"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def __enter__(self):
        for line in self._process.stdout:  # what it says before, where it listens, is for people
            if line == b"READY\n":
                return self
        raise RuntimeError("the server did not start")

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def stop(self):
        self._process.terminate()
        return self._process.wait(LIMIT)


def run_h2load(tool, path, folder):
    failures = 0
    for name, (method, body, flags) in LOADS.items():
        data = folder / "body"
        data.write_bytes(body)
        done = subprocess.run(
            [tool, *flags.split(), *HEADERS, "-d", data, f"--base-uri=unix:{path}",
             f"{SERVICE}/{method}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        calls = re.search(r"-n (\d+)", flags)[1]
        wanted = (f"requests: {calls} total, {calls} started, {calls} done, {calls} succeeded, "
                  "0 failed, 0 errored, 0 timeout")
        is_ok = done.returncode == 0 and wanted in done.stdout
        print(("ok   " if is_ok else "FAIL ") + name, flush=True)
        if not is_ok:
            failures += 1
            print(done.stdout)
    return failures


async def relay(path, reader, writer):
    """nghttp knows no Unix sockets, so its TCP connection is passed on to one."""
    async def copy(source, target):
        try:
            while piece := await source.read(1 << 16):
                target.write(piece)
                await target.drain()
        except ConnectionError:
            pass
        target.close()

    far_reader, far_writer = await asyncio.open_unix_connection(path)
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


# What is called with what, and nghttp's flags; -m is the number of calls. Its --continuation sends 24
# KiB of headers, more than we announce.
ANSWERS = {
    "one call": ("EmptyCall", EMPTY, []),
    "many calls": ("EmptyCall", EMPTY, ["-m", "50"]),
    "padding": ("EmptyCall", EMPTY, ["--padding=255"]),
    "header tables from large to none": ("EmptyCall", EMPTY, ["-c", "4K", "-c", "0", "-m", "5"]),
    "small windows": ("UnaryCall", LARGE_ANSWER, ["-w", "10", "-W", "12"]),
    "large both ways": ("UnaryCall", LARGE_BOTH, ["-m", "5"]),
    "no dependencies": ("EmptyCall", EMPTY, ["--no-dep"]),
}


async def run_nghttp(tool, path, folder):
    failures = 0
    front = await asyncio.start_server(lambda *ends: relay(path, *ends), "127.0.0.1", 0)
    port = front.sockets[0].getsockname()[1]
    for name, (method, body, flags) in ANSWERS.items():
        data = folder / "body"
        data.write_bytes(body)
        uri = f"http://127.0.0.1:{port}/grpc.testing.TestService/{method}"
        process = await asyncio.create_subprocess_exec(
            tool, "-v", "-n", *flags, *HEADERS, "-d", data, uri,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode(errors="replace"))
        calls = int(flags[flags.index("-m") + 1]) if "-m" in flags else 1
        is_ok = (process.returncode == 0 and text.count("grpc-status: 0") == calls and
                 text.count(":status: 200") == calls and "recv RST_STREAM" not in text and
                 "PROTOCOL_ERROR" not in text)
        print(("ok   " if is_ok else "FAIL ") + name, flush=True)
        if not is_ok:
            failures += 1
            print(text[-6000:])
    front.close()
    return failures


def main(tool, program):
    found = shutil.which(tool)
    if found is None:
        print(f"skipped: no {tool}; Debian's nghttp2-client has it")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / "server.sock"
        with Server(program, path) as server:
            if tool == "h2load":
                failures = run_h2load(found, path, folder)
            else:
                failures = asyncio.run(run_nghttp(found, str(path), folder))
            if code := server.stop():
                print(f"FAIL the server ended with exit code {code}")
                failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

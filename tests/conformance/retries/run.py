# SPDX-License-Identifier: Apache-2.0
"""Retries between nearcall and grpcio, both ways: run.py PROGRAM. Each side is a process."""
import json
import os
import subprocess
import sys
import tempfile

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")

# What the server is asked for, the pause of the client's config, and what the client says.
CASES = [
    ("0", "0.01s", "OK before: 0"),
    ("2", "0.01s", "OK before: 2"),
    ("9", "0.01s", "UNAVAILABLE before: 3"),
    ("2 5", "3600s", "OK before: 2"),
    ("1 -1", "0.01s", "UNAVAILABLE before: 0"),
    ("1 soon", "0.01s", "UNAVAILABLE before: 0"),
]


def config(pause):
    return json.dumps({"methodConfig": [{
        "name": [{"service": "greet.Greeter"}],
        "retryPolicy": {"maxAttempts": 4, "initialBackoff": pause, "maxBackoff": pause,
                        "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]})


def run(server, client):
    """The number of cases that differ."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        target = f"unix:{folder}/retries.sock"
        with subprocess.Popen(server + ["serve", target], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as serving:
            if serving.stdout.readline() != "READY\n":
                print("the server did not start")
                return 1
            for name, pause, expected in CASES:
                said = subprocess.run(client + ["call", target, name, config(pause)], timeout=60,
                                      stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
                if said != expected:
                    print(f"{client[-1]} of {server[-1]}, {name!r}: {said!r}, not {expected!r}")
                    failures += 1
            serving.stdin.close()
    return failures


def python_with_grpcio():
    """Debian's python3 has it where another one may come first."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import grpc"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def main():
    python = python_with_grpcio()
    if python is None:
        print("no grpcio")
        sys.exit(77)
    nearcall, grpcio = [sys.argv[1]], [python, PEER]
    pairs = [(nearcall, grpcio), (grpcio, nearcall), (nearcall, nearcall)]
    failures = sum(run(server, client) for server, client in pairs)
    print(f"{len(CASES)} cases of {len(pairs)} pairs, {failures} differ")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

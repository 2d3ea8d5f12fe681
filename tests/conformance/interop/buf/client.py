#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The client `buf curl`: it calls a method of the server by what reflection tells it, without a .proto."""

import argparse
import json
import subprocess
import sys

CALL = ("grpc.testing.TestService/UnaryCall", {"responseSize": 3}, {"payload": {"body": "AAAA"}})
HEALTH = ("grpc.health.v1.Health/Check", {}, {"status": "SERVING"})


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--buf", required=True)
    flags.add_argument("--address", required=True, help="unix:PATH")
    flags.add_argument("--test_case", required=True, choices=("reflection", "health"))
    options = flags.parse_args()

    method, request, expected = CALL if options.test_case == "reflection" else HEALTH
    done = subprocess.run(
        [options.buf, "curl", "--unix-socket", options.address.removeprefix("unix:"),
         "--http2-prior-knowledge", "--protocol", "grpc", "-d", json.dumps(request),
         f"http://localhost/{method}"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{options.test_case}: {done.stderr.decode(errors='replace').strip()}")
    if json.loads(done.stdout) != expected:
        sys.exit(f"{options.test_case}: got {done.stdout.decode()}, expected {json.dumps(expected)}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on: processor, kernel, versions of the peers."""
import datetime
import os
import pathlib
import platform
import shutil
import subprocess


def _output(*command):
    if shutil.which(command[0]) is None:
        return "not there"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else "unknown"


def _processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _package(name):
    return _output("dpkg-query", "-W", "-f", "${Version}", name)


def describe(root):
    """In the order in which it is shown."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "nearcall": _output("git", "-C", str(root), "describe", "--always", "--dirty"),
        "processor": f"{_processor()}, {os.cpu_count()} logical",
        "kernel": platform.release(),
        "virtual machine": _output("systemd-detect-virt", "--vm"),
        "load before": load,
        "compiler": _output("c++", "--version"),
        "protobuf": _package("libprotobuf-dev"),
        "grpc++": _package("libgrpc++-dev"),
        "Cap'n Proto": _package("libcapnp-dev"),
        ".NET SDK": _output("dotnet", "--version"),
    }

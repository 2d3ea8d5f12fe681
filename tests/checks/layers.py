# SPDX-License-Identifier: Apache-2.0
"""Checks that includes point only down the layers: a new edge is a decision, made in this table."""
import re

import tree

# What each folder of src/ may include, besides itself.
BELOW = {
    "base": set(),
    "async": {"base"},
    "transport": {"base", "async"},
    "http2": {"base"},
    "grpc": {"base"},
    "connection": {"base", "async", "transport", "http2", "grpc"},
    "client": {"base", "async", "transport", "http2", "grpc", "connection"},
    "server": {"base", "async", "transport", "http2", "grpc", "connection"},
    "codegen": set(),
}
# Ordinary users of the public headers: no folder but their own.
PUBLIC_ONLY = {"services", "cli", "testing"}

# The layer that each public header belongs to; it obeys the same table.
PUBLIC = {
    "log": "base", "metadata": "base", "result": "base", "status": "base", "unique_function": "base",
    "trace_context": "base", "version": "base", "access": "base",
    "async_event": "async", "async_queue": "async", "canceller": "async", "event_loop": "async",
    "resume_on": "async", "signals": "async", "spawn": "async", "spin_policy": "async", "sync_wait": "async",
    "task": "async", "task_scope": "async", "thread_pool": "async", "wait": "async", "when": "async",
    "listen_options": "transport", "peer": "transport", "peer_policy": "transport", "service_manager": "transport",
    "spawn_options": "transport",
    "transport": "transport",
    "connection_limits": "http2",
    "codec": "grpc", "generic_message": "grpc", "method": "grpc",
    "stream_awaiters": "connection",
    "interceptor": "connection", "observer": "connection", "connection_report": "connection",
    "asio": "client", "client_interceptor": "client", "call_options": "client", "channel": "client", "client": "client", "client_stub": "client",
    "generic_stub": "client",
    "connectivity_state": "client", "picker": "client",
    "manual_clock": "testing", "test_call": "testing", "test_server": "testing", "transport_contract": "testing",
    "channelz": "services", "health": "services", "metrics": "services", "reflection": "services", "rich_status": "services",
    "blocking_service": "server", "generic_service": "server", "server": "server", "server_context": "server", "server_view": "server", "server_interceptor": "server", "service": "server",
}

# The engines touch no system: what they may not include although it is not ours (sys/uio.h only
# names the type of gathered output).
PURE = {"http2", "grpc"}
SYSTEM = re.compile(
    r"sys/(?!uio\.h).*|arpa/.*|netinet/.*|unistd\.h|fcntl\.h|poll\.h|pthread\.h|signal\.h|time\.h|ctime"
    r"|thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token"
    r"|iostream|fstream|filesystem|coroutine")

# Not what a template of generated code includes: "$stem$.pb.h".
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"$]+)[>"]', re.MULTILINE)


def check(root):
    findings = []
    for path in tree.source_files(root, under=("src", "include"), suffixes=(".hpp", ".cpp")):
        is_public = path.parts[0] == "include"
        layer = PUBLIC.get(path.stem) if is_public else path.parts[1]
        if layer not in BELOW and layer not in PUBLIC_ONLY:
            findings.append(f"{path}: belongs to no layer of tests/checks/layers.py")
            continue
        text = (root / path).read_text(encoding="utf-8")
        for quote, name in INCLUDE.findall(text):
            problem = _problem(layer, is_public, quote, name)
            if problem:
                findings.append(f"{path}: {layer} may not include {name}: {problem}")
    return findings


def _problem(layer, is_public, quote, name):
    """Why a file of `layer` may not include `name`, or None."""
    if quote == "<":
        if name.startswith("nearcall/"):
            return _public_problem(layer, name)
        is_system = layer in PURE and SYSTEM.fullmatch(name)
        return "no I/O, threads or clocks here" if is_system else None
    if is_public:
        return "public headers stand alone"
    if "/" not in name:
        return 'write the folder too: "base/bytes.hpp"'
    if name.split("/")[0] in BELOW.get(layer, set()) | {layer}:
        return None
    return "the layer is not below"


def _public_problem(layer, name):
    if layer in PUBLIC_ONLY:
        return None
    target = PUBLIC.get(name.removeprefix("nearcall/").removesuffix(".hpp"))
    if target is None:
        return "it belongs to no layer"
    return None if target in BELOW[layer] | {layer} else f"{target} is not below"


if __name__ == "__main__":
    tree.main(check)

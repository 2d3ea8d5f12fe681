# SPDX-License-Identifier: Apache-2.0
"""Checks what every file keeps: its head, its size, no loose ends; the size of the API and of an example."""
import re

import tree

COMMENTS = {".hpp": "//", ".cpp": "//", ".cs": "//", ".js": "//", ".proto": "//",
            ".cmake": "#", ".py": "#", ".sh": "#"}
TEXTS = (*COMMENTS, ".txt", ".md", ".json", ".in", "")
LICENSE = "SPDX-License-Identifier: Apache-2.0"

MAX_LINES = 600
# Of code: what documents it is not counted. For #10 there are 8 lines of PeerIdentity::own(), 218 and four headers of
# nearcall::testing, which only tests of others include, and 36 that let a test stand for a call, a clock or a client,
# 1 of Listener::is_over(), 43 and a header of
# Channel::spawn() and SpawnOptions, 7 of ChannelOptions::allow_exec(), 124 and a header of
# BlockingService, its streams and ServerOptions::handler_pool(), 7 each of ListenOptions::take_over() and
# keep_in_store(), 128 and a header of nearcall/asio.hpp, which only programs with Asio include, 13 of
# AsyncQueue::push_evicting(), 22 of ForwardingListener, 3 of BlockingReader::read() with a token.
# For #11: 18 of CallOptions of a call that is made for another one.
# 49 and a header of Health, 17 and a header of reflection, 50 and a header of RichStatus,
# 7 of CallOptions::wait_for_ready(), 24 and a header of Channel::state() and waiting for it.
# 18 of ChannelOptions::service_config(), and what a channel keeps of it; 25 of its retries: their
# buffers, and attempts().
# 147 and a header of Codec, compression and send limits on channels, calls, servers and messages.
# 3 of ConnectionLimits: linger_timeout, the intervals of PINGs.
# 83 of keepalive and age (three options of channels, five of servers).
# 25 of ServerOptions::max_concurrent_calls().
# 59 and a header of Channel::to_any(), ChannelOptions::picker() and Picker.
# 183 and three headers of interceptors, which only those include who write one.
# 121 and a header of Observer, which only those include who write one.
# 34 and a header of Metrics.
# 34 and a header of TraceContext, and of CallOptions::trace().
# 118 and three headers of generic calls, which only those include who make or serve them.
# 70 of arenas: ServerContext::arena(), handlers with both messages there, and replies that the caller has.
# 121 and three headers of Channelz, ServerView and what it reports.
MAX_API_LINES = 4620
MAX_API_HEADERS = 61
WITHOUT_SYMBOLS = {"version.hpp"}
MAX_ROOT_ENTRIES = 16
TRANSPORT_EXAMPLE = "examples/custom_transport"
MAX_TRANSPORT_LINES = 99  # of code; README.md and docs/transports.md say so

# Written by a program, or by the other project whose file it is.
NOT_OURS = re.compile(r"tests/golden/\w+/.*|docs/api\.txt|LICENSE|.*package(s\.|-)lock\.json")

# An open end names its issue: `TODO(perf): … #12`.
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\((perf|security|someday)\):.*#\d+)(?!`)")
OPEN_END_EXEMPT = {"tests/checks/file_rules.py", "tests/checks/file_rules_test.py",
                   "CONTRIBUTING.md"}
# What is versioned is opened with its version, or two namespaces of one name stand side by side.
UNVERSIONED = re.compile(r"namespace nearcall(::(detail|http2|grpc)\b.*)? \{")
# A private header declares nothing beside the API. (The plugin is a program of its own.)
BESIDE_API = re.compile(r"namespace nearcall\b(?!::inline v0::detail\b|::codegen\b)")
# The verbs that CONTRIBUTING.md ("How things end") has another one for, in names of any spelling.
UNUSED_VERBS = re.compile(
    r"(?:^|_)(abandon(?:ed|s)?|cut_short|discard(?:ed|s)?|dispose[ds]?|expire[ds]?|forg[eo]t(?:s|ten)?"
    r"|g[ia]ven?_up|gives_up|interrupt(?:ed|s)?|lets?_go|quits?|retire[ds]?|shut_down|terminate[ds]?)(?:_|$)")
# Not ours: the standard library's own, and a weak_ptr's question.
STANDARD_VERBS = re.compile(r"\bstd::[\w:]+|\.expired\(\)")
NOT_CODE = re.compile(r'"(?:\\.|[^"\\])*"|//.*')
NAME = re.compile(r"[A-Za-z_]\w*")
INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# The library's own layers come into the API by one way, detail::Access: no other class is a friend.
OWN_LAYERS = "For the library's own layers"
OTHER_FRIEND = re.compile(r"^\s*friend (?!(?:detail::)?Access;)[^(]*;", re.MULTILINE)
# What an awaited call goes through (docs/decisions/010): no lock, no hash, no count that threads share.
AWAITED_PATH = re.compile(
    r"src/client/(async_call|attempt|call|client_connection|client_stub|invoker|loop_backend|loop_connection)"
    r"\.[ch]pp|src/(connection|grpc|http2)/(?!observed\.).*\.[ch]pp")
SHARED_BY_THREADS = re.compile(r"\b(mutex|\w+_lock|lock_guard|shared_ptr|make_shared|shared_from_this"
                               r"|weak_ptr|unordered_\w+)\b")
NOT_ONCE_A_CALL = {
    # a loop
    "const std::shared_ptr<Backend> backend_;",
    ": backend_(backend.shared_from_this()), core_(&loop) {",
    # a channel, and a client
    ": core_(std::make_shared<detail::ChannelCore>(std::string(target), std::move(options))) {",
    ": core_(std::make_shared<detail::ChannelCore>(targets, std::move(options))) {",
    ": channel_(detail::Access::core(channel).shared_from_this()),",
    # a connection
    "{.limits = std::make_shared<ConnectionLimits>(limits)},",
    "std::shared_ptr<ConnectionLimits> limits = std::make_shared<ConnectionLimits>();",
}
MACHINE_PATH = re.compile(r"(?<![\w.)-])/(home|root|work|Users)/\w")


def check(root):
    findings = [*_root_findings(root), *_api_findings(root), *_example_findings(root)]
    for path in tree.source_files(root):
        is_build_file = path.suffix in COMMENTS or path.name == "CMakeLists.txt"
        if NOT_OURS.fullmatch(str(path)) or path.suffix not in TEXTS:
            continue
        text = (root / path).read_bytes()
        if b"\0" in text:
            continue
        lines = text.decode("utf-8").splitlines()
        if is_build_file or text.startswith(b"#!"):
            findings += _head_findings(path, lines)
        findings += _line_findings(path, lines)
    return findings


def _root_findings(root):
    entries = [entry.name for entry in root.iterdir()
               if not entry.name.startswith(".") and not entry.name.startswith("build")]
    if len(entries) > MAX_ROOT_ENTRIES:
        yield f"the root folder has {len(entries)} entries, more than {MAX_ROOT_ENTRIES}"


def _api_findings(root):
    headers = tree.source_files(root, under=("include",), suffixes=(".hpp",))
    code = _lines_of_code(root, headers)
    if code > MAX_API_LINES:
        yield f"include/ has {code} lines of code, more than {MAX_API_LINES}"
    if len(headers) > MAX_API_HEADERS:
        yield f"include/ has {len(headers)} headers, more than {MAX_API_HEADERS}"
    ways_in = 0
    for path in headers:
        text = (root / path).read_text(encoding="utf-8")
        ways_in += text.count(OWN_LAYERS)
        if friend := OTHER_FRIEND.search(text):
            yield f"{path}: '{friend.group().strip()}': only detail::Access is a friend of the API"
        opens, closes = (text.count(f"#pragma GCC visibility {mark}") for mark in ("push(default)", "pop"))
        if path.name not in WITHOUT_SYMBOLS and (opens, closes) != (1, 1):
            yield (f"{path}: what it declares would be hidden in a shared library: it needs "
                   "'#pragma GCC visibility push(default)' after its includes, and 'pop' at its end")
    if ways_in > 1:
        yield f"include/ says '{OWN_LAYERS}' {ways_in} times: they have one way in, detail::Access"


def _example_findings(root):
    sources = tree.source_files(root, under=(TRANSPORT_EXAMPLE,), suffixes=(".hpp", ".cpp"))
    code = _lines_of_code(root, sources)
    if code > MAX_TRANSPORT_LINES:
        yield f"{TRANSPORT_EXAMPLE} has {code} lines of code, more than {MAX_TRANSPORT_LINES}"


def _lines_of_code(root, paths):
    """How many lines of the files are neither empty nor a comment."""
    lines = [line.strip() for path in paths
             for line in (root / path).read_text(encoding="utf-8").splitlines()]
    return sum(1 for line in lines if line and not line.startswith("//"))


def _head_findings(path, lines):
    """Line 1 the license, line 2 a sentence (a folder's CMakeLists.txt needs none)."""
    head = lines[1:] if lines and lines[0].startswith("#!") else lines
    mark = COMMENTS.get(path.suffix, "#")
    if not head or head[0] != f"{mark} {LICENSE}":
        yield f"{path}: does not start with '{mark} {LICENSE}'"
    elif path.name != "CMakeLists.txt":
        says = head[1] if len(head) > 1 else ""
        if not re.match(rf'{mark} \S.{{10,}}|"""\S.{{10,}}', says):
            yield f"{path}: its second line does not say what it is"
    if path.suffix == ".hpp" and "#pragma once" not in lines[:20]:
        yield f"{path}: has no #pragma once"


def _line_findings(path, lines):
    if len(lines) > MAX_LINES:
        yield f"{path}: has {len(lines)} lines, more than {MAX_LINES}: split it"
    for number, line in enumerate(lines, start=1):
        if OPEN_END.search(line) and str(path) not in OPEN_END_EXEMPT:
            yield f"{path}:{number}: an open end without an issue, as TODO(perf|security|someday): #n"
        if UNVERSIONED.match(line) and (path.parts[0] in ("include", "src") or "::" in line):
            yield f"{path}:{number}: not in the versioned namespace: 'namespace nearcall::inline v0…'"
        if BESIDE_API.match(line) and path.parts[0] == "src" and path.suffix == ".hpp":
            yield f"{path}:{number}: private, so 'namespace nearcall::inline v0::detail…'"
        if path.parts[0] in ("include", "src") and path.suffix in (".hpp", ".cpp"):
            for name in _names_of_unused_verbs(line):
                yield f"{path}:{number}: '{name}': CONTRIBUTING.md, How things end, has another verb"
        if AWAITED_PATH.fullmatch(str(path)) and line.strip() not in NOT_ONCE_A_CALL:
            if found := SHARED_BY_THREADS.search(NOT_CODE.sub("", line)):
                yield f"{path}:{number}: '{found.group()}' on the path of an awaited call"
        if MACHINE_PATH.search(line):
            yield f"{path}:{number}: a path of somebody's machine"


def _names_of_unused_verbs(line):
    code = STANDARD_VERBS.sub("", NOT_CODE.sub("", line))
    return [name for name in NAME.findall(code)
            if UNUSED_VERBS.search(INNER_CAPITAL.sub("_", name).lower())]


if __name__ == "__main__":
    tree.main(check)

#!/usr/bin/python3 -BIS
# SPDX-License-Identifier: Apache-2.0
"""Turns into nginx or HAProxy in front of a gRPC server, as examples/proxies configures them.

    proxy.py nginx|haproxy --back=unix:PATH|ipv4:HOST:PORT --front=unix|tcp --folder=DIR

Prints where it listens, as a target. From then on clients can connect: the proxy inherits the
listening socket. It runs as the user who started it, keeps its files in DIR, and ends on SIGTERM or
when the thread that started it does. --patience=TIME is how long it lets a stream be silent, as
nginx and HAProxy write times. Exit code 77: the proxy is not there.
"""

import argparse
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NOT_THERE = 77
PR_SET_PDEATHSIG = 1
# What nginx wants to know beside a file of /etc/nginx/conf.d.
NGINX = """daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/greeter.conf;
}}
"""
HAPROXY = """global
  maxconn 500
  nbthread 1
"""


def find(program, tools):
    """The program that setup.sh has unpacked, or the system's; and where its libraries are."""
    unpacked = pathlib.Path(tools) / "proxies/usr"
    found = shutil.which(program, path=f"{unpacked}/sbin:{os.environ['PATH']}:/usr/sbin")
    return found, ":".join(str(path) for path in unpacked.glob("lib/*-linux-gnu*"))


def listen(front, folder):
    """A listening socket for the proxy to inherit, and its target."""
    if front == "tcp":
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        target = "ipv4:{}:{}".format(*listener.getsockname())
    else:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"{folder}/front")
        listener.listen(128)
        target = f"unix:{folder}/front"
    listener.set_inheritable(True)
    return listener, target


def configuration(example, replacements):
    """The example, for this place and time."""
    text = (ROOT / "examples/proxies" / example).read_text(encoding="utf-8")
    for old, new in replacements.items():
        if old not in text:
            raise ValueError(f"examples/proxies/{example} has no '{old}'")
        text = text.replace(old, new)
    return text


def nginx_files(options, listener, target):
    back = options.back.removeprefix("ipv4:")
    text = configuration("nginx.conf", {
        "unix:/run/greeter/greeter.sock": back,
        "listen 50051": "listen " + target.removeprefix("ipv4:"),
        "1h;": f"{options.patience};"})
    os.environ["NGINX"] = f"{listener.fileno()};"
    # Root's workers would be another user's.
    user = "user root root;" if os.geteuid() == 0 else ""
    return {"nginx.conf": NGINX.format(folder=options.folder, user=user), "greeter.conf": text}


def haproxy_files(options, listener, target):
    back = options.back.removeprefix("ipv4:").replace("unix:", "unix@", 1)
    text = configuration("haproxy.cfg", {
        "unix@/run/greeter/greeter.sock": back,
        "bind :50051": f"bind fd@{listener.fileno()}",
        " 1h ": f" {options.patience} "})
    return {"global.cfg": HAPROXY, "greeter.cfg": text}


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("proxy", choices=("nginx", "haproxy"))
    flags.add_argument("--back", required=True, help="where the server is")
    flags.add_argument("--front", required=True, choices=("unix", "tcp"))
    flags.add_argument("--folder", required=True, help="an empty folder")
    flags.add_argument("--patience", default="1h")
    flags.add_argument("--tools-dir", default=ROOT / "build/interop-peers")
    options = flags.parse_args()

    program, libraries = find(options.proxy, options.tools_dir)
    if not program:
        print(f"no {options.proxy} here: run tests/conformance/interop/setup.sh")
        return NOT_THERE
    listener, target = listen(options.front, options.folder)
    is_nginx = options.proxy == "nginx"
    files = (nginx_files if is_nginx else haproxy_files)(options, listener, target)
    paths = {name: os.path.join(options.folder, name) for name in files}
    for name, text in files.items():
        pathlib.Path(paths[name]).write_text(text, encoding="utf-8")
    if libraries:
        os.environ["LD_LIBRARY_PATH"] = libraries
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    print(target, flush=True)
    os.dup2(2, 1)
    if is_nginx:
        os.execv(program, [program, "-p", options.folder, "-e", "stderr", "-c", paths["nginx.conf"]])
    os.execv(program, [program, "-db", "-q", "-f", paths["global.cfg"], "-f", paths["greeter.cfg"]])


if __name__ == "__main__":
    sys.exit(main())

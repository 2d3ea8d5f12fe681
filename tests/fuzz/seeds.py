#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a few good inputs for each fuzz target into folders of its name: seeds.py CORPUS"""
import gzip
import pathlib
import struct
import sys
import zlib

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Static table, RFC 7541 appendix A: POST, http, path and authority as literals.
REQUEST = b"\x83\x86\x04\x04/a/B\x01\x01h"
RESPONSE = b"\x88"
TRAILERS = b"\x00\x0bgrpc-status\x010"
KEPT = b"\x40\x06x-kept\x05value"
EMPTY_MESSAGE = bytes(5)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*entries):
    return frame(4, 0, 0, b"".join(struct.pack(">HI", *entry) for entry in entries))


ACK = frame(4, 1, 0)
PING = frame(6, 0, 0, b"12345678")
GOAWAY = frame(7, 0, 0, struct.pack(">II", 1, 0) + b"bye")


def conversations(first):
    """What a peer may say, past its handshake."""
    yield frame(1, 4, 1, first) + frame(0, 0, 1, EMPTY_MESSAGE) + frame(1, 5, 1, TRAILERS)
    yield frame(1, 0, 1, first[:1]) + frame(9, 4, 1, first[1:]) + frame(0, 9, 1, b"\x02ab\0\0")
    yield frame(1, 0x2c, 1, b"\x01\0\0\0\0\x10" + first + b"\0") + frame(3, 0, 1, b"\0\0\0\x08")
    yield frame(1, 4, 1, b"\x20\x3f\xe1\x1f" + first + KEPT) + frame(1, 5, 3, first + b"\xbe")
    yield settings((4, 100), (1, 0), (3, 5), (0xF00D, 1)) + PING + frame(2, 0, 3, b"\0\0\0\0\x10")
    yield frame(1, 4, 1, first) + frame(8, 0, 1, b"\0\0\1\0") + frame(8, 0, 0, b"\0\0\1\0") + GOAWAY
    yield frame(1, 4, 1, first) + frame(0, 0, 1, b"x" * 900) + frame(0xEE, 3, 7, b"unknown")


def compressed():
    """Messages in gzip and zlib: small, a bomb, cut off, with something behind, and none."""
    for text in (b"", b"\x0a\x05hello", b"words and words " * 50, bytes(100_000)):
        whole = gzip.compress(text, mtime=0)
        yield b"\x40" + whole
        yield b"\xfe" + whole
        yield b"\x40" + whole[:-3]
        yield b"\x40" + whole + whole
        yield b"\x41" + zlib.compress(text)
    yield b"\x40\x1f\x8b\x08\x1c" + bytes(6) + b"\x02\0xyname\0comment\0"


def inputs():
    for message in compressed():
        yield "inflated_message", message
    blocks = [REQUEST, RESPONSE, TRAILERS, KEPT + b"\xbe", b"\x20" + REQUEST, b"\x00\x01x\x81\x1f"]
    yield "hpack_decoder", b"".join(bytes([len(block)]) + block for block in blocks)
    for block in blocks:
        yield "hpack_decoder", bytes([len(block)]) + block
    for name, first, opening in (("server", REQUEST, PREFACE), ("client", RESPONSE, b"")):
        for said in conversations(first):
            yield "frame_reader", settings() + said
            yield f"session_{name}", b"\1\2\1" + said
            yield f"session_{name}", b"\3\4\0" + opening + settings() + ACK + said
            yield f"whole_{name}", bytes(range(64)) + opening + settings() + ACK + said
    yield "whole_pair", bytes(range(256)) * 4
    yield "message_assembler", b"\0" + EMPTY_MESSAGE * 3
    yield "message_assembler", b"\1" + b"\0\0\0\0\x64" + b"x" * 100 + EMPTY_MESSAGE
    yield "message_assembler", b"\2" + b"\0\0\0\1\x2d" + b"x" * 301


def fields(*pairs):
    """As tests/fuzz/fields.hpp reads them: a name by its number, or itself."""
    said = b""
    for name, value in pairs:
        if isinstance(name, int):
            said += bytes([name])
        else:
            said += bytes([255, len(name)]) + name
        said += bytes([len(value)]) + value
    return said


def heads():
    request = ((0, b"POST"), (1, b"http"), (2, b"/a.B/C"), (3, b"h"), (6, b"application/grpc"))
    metadata = ((12, b"value"), (13, b"AQID,BAUG"), (b"x-other", b"1"), (b"Bad Key", b"\0"))
    response = ((4, b"200"), (6, b"application/grpc+proto"))
    trailers = ((9, b"5"), (10, b"not%20found"), (15, b"CAUSA25vcGU"))
    for said in (request, request + ((8, b"10m"),), request[1:], request + ((7, b"gzip"),)):
        yield "request_head", fields(*said)
    for said in (metadata, metadata[:3], ((13, b"," * 30),), ((12, b"v" * 200),) * 10):
        yield "metadata_codec", fields(*said)
    for said in (response, response + trailers, response + trailers + metadata[:3], trailers):
        yield "response_head", b"\0" + fields(*said)
        yield "response_head", b"\1" + fields(*said)
    block = REQUEST + b"\x0f\x10\x10application/grpc"
    for more in (b"", KEPT, b"\x00\x0cgrpc-timeout\x0210", b"\x00\x05x-bin\x05AQ,AQ"):
        yield "request_reader", bytes([len(block + more)]) + block + more


def main(corpus):
    for number, (target, content) in enumerate([*inputs(), *heads()]):
        folder = pathlib.Path(corpus) / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"seed-{number}").write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1])

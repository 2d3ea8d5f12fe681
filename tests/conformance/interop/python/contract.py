# SPDX-License-Identifier: Apache-2.0
"""The interop contract: its numbers and names, and its messages loaded from a descriptor set.

The generated modules would be called grpc.testing.*, inside grpcio's own package, and could not be
imported; so the message classes are made at run time and the methods are called by name.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "grpc.testing"
SERVICE = PACKAGE + ".TestService"
UNIMPLEMENTED_SERVICE = PACKAGE + ".UnimplementedService"

LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
INITIAL_KEY = "x-grpc-test-echo-initial"
INITIAL_VALUE = "test_initial_metadata_value"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"
TRAILING_VALUE = b"\xab\xab\xab"
STATUS_MESSAGE = "test status message"
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"

# What the services beside it say, in bytes: grpcio has no code of theirs.
NO_SERVICE = b"\x0a\x09none.None"
SERVING = b"\x08\x01"
LIST_SERVICES = b"\x3a\x01*"
FILE_OF_SERVICE = b"\x22\x18" + SERVICE.encode()
RICH_MESSAGE = "rich"
RICH_DETAILS = (b"\x08\x03\x12\x04rich\x1a\x35\x0a\x28type.googleapis.com/google.rpc.ErrorInfo"
                b"\x12\x09\x0a\x07INTEROP")


class Messages:
    """The contract's message classes, by their short names: messages.SimpleRequest."""

    def __init__(self, protoset):
        self._pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet()
        with open(protoset, "rb") as stored:
            files.ParseFromString(stored.read())
        for file in files.file:
            self._pool.Add(file)

    def __getattr__(self, name):
        descriptor = self._pool.FindMessageTypeByName(f"{PACKAGE}.{name}")
        if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
            made = message_factory.GetMessageClass(descriptor)
        else:
            made = message_factory.MessageFactory(self._pool).GetPrototype(descriptor)
        setattr(self, name, made)
        return made


def zeros(messages, size):
    return messages.Payload(body=bytes(size))

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

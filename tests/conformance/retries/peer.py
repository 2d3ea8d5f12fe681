# SPDX-License-Identifier: Apache-2.0
"""grpcio's side of the retry cases, with the arguments of program.cpp; no generated code."""
import sys
from concurrent import futures

try:
    import grpc
except ImportError:
    sys.exit(77)

METHOD = "/greet.Greeter/SayHello"


def packed(text):
    """A message with one short string, field 1."""
    data = text.encode()
    return bytes([0x0A, len(data)]) + data


def unpacked(message):
    return message[2:].decode()


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(say_hello) if details.method == METHOD else None


def say_hello(request, context):
    before = dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts", "0")
    failures, *pushback = unpacked(request).split()
    if int(before) < int(failures):
        context.set_trailing_metadata(tuple(("grpc-retry-pushback-ms", value) for value in pushback))
        context.abort(grpc.StatusCode.UNAVAILABLE, f"before: {before}")
    return packed(f"before: {before}")


def serve(target):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Service(),))
    server.add_insecure_port(target)
    server.start()
    print("READY", flush=True)
    sys.stdin.read()
    server.stop(None)


def call(target, name, config):
    with grpc.insecure_channel(target, options=[("grpc.service_config", config)]) as channel:
        try:
            print("OK", unpacked(channel.unary_unary(METHOD)(packed(name), timeout=20)))
        except grpc.RpcError as error:
            print(error.code().name, error.details())


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])

# SPDX-License-Identifier: Apache-2.0
"""The grpcio peer's server: the interop TestService on a Unix socket."""

import argparse
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

import contract

CODES = {code.value[0]: code for code in grpc.StatusCode}


class TestService:
    def __init__(self, messages):
        self._messages = messages

    def empty_call(self, request, context):
        return self._messages.Empty()

    def unary_call(self, request, context):
        echo_metadata(context)
        echo_status(request, context)
        return self._messages.SimpleResponse(
            payload=contract.zeros(self._messages, request.response_size))

    def streaming_input_call(self, requests, context):
        total = sum(len(request.payload.body) for request in requests)
        return self._messages.StreamingInputCallResponse(aggregated_payload_size=total)

    def streaming_output_call(self, request, context):
        echo_metadata(context)
        yield from self._answers(request, context)

    def full_duplex_call(self, requests, context):
        echo_metadata(context)
        for request in requests:
            yield from self._answers(request, context)

    def _answers(self, request, context):
        echo_status(request, context)
        for wanted in request.response_parameters:
            time.sleep(wanted.interval_us / 1e6)
            yield self._messages.StreamingOutputCallResponse(
                payload=contract.zeros(self._messages, wanted.size))


def echo_status(request, context):
    wanted = request.response_status
    if wanted.code:
        context.abort(CODES.get(wanted.code, grpc.StatusCode.UNKNOWN), wanted.message)


def echo_metadata(context):
    for key, value in context.invocation_metadata():
        if key == contract.TRAILING_KEY:
            context.set_trailing_metadata(((key, value),))
        elif key == contract.INITIAL_KEY:
            context.send_initial_metadata(((key, value),))


def handlers(messages):
    service = TestService(messages)

    def made(maker, behaviour, request, response):
        return maker(behaviour,
                     request_deserializer=getattr(messages, request).FromString,
                     response_serializer=getattr(messages, response).SerializeToString)

    streamed = ("StreamingOutputCallRequest", "StreamingOutputCallResponse")
    return grpc.method_handlers_generic_handler(contract.SERVICE, {
        "EmptyCall": made(grpc.unary_unary_rpc_method_handler, service.empty_call,
                          "Empty", "Empty"),
        "UnaryCall": made(grpc.unary_unary_rpc_method_handler, service.unary_call,
                          "SimpleRequest", "SimpleResponse"),
        "StreamingInputCall": made(grpc.stream_unary_rpc_method_handler,
                                   service.streaming_input_call,
                                   "StreamingInputCallRequest", "StreamingInputCallResponse"),
        "StreamingOutputCall": made(grpc.unary_stream_rpc_method_handler,
                                    service.streaming_output_call, *streamed),
        "FullDuplexCall": made(grpc.stream_stream_rpc_method_handler,
                               service.full_duplex_call, *streamed),
    })


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--address", required=True, help="unix:PATH")
    flags.add_argument("--protoset", required=True, help="descriptor set of the contract")
    options = flags.parse_args()

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    server.add_generic_rpc_handlers((handlers(contract.Messages(options.protoset)),))
    if not server.add_insecure_port(options.address):
        sys.exit(f"cannot listen on {options.address}")
    server.start()
    print("READY", flush=True)
    stop.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""The grpcio peer's client: each interop case is one method of Cases."""

import argparse
import queue
import sys

import grpc

import contract

TIMEOUT = 10  # seconds; every call has a deadline, so that one that hangs says so


class Differs(Exception):
    """What the server did, and what the contract says instead."""


def check(what, got, expected):
    if got != expected:
        raise Differs(f"{what}: got {got!r}, expected {expected!r}")


def check_body(payload, size):
    check("body length", len(payload.body), size)
    check("body is zeros", payload.body.count(0), size)


def check_status(call, code, message=None):
    check("status", call.code(), code)
    if message is not None:
        check("status message", call.details(), message)


def failure(action):
    """Runs what must fail, and returns its error, which is also the ended call."""
    try:
        action()
    except grpc.RpcError as error:
        return error
    except grpc.FutureCancelledError:  # how the future of a cancelled call says it
        return None
    except StopIteration:
        pass
    raise Differs("the call went on or ended OK, expected a failure")


class Requests:
    """The request stream of a call: an iterator that the case feeds while the call runs."""

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def send(self, request):
        self._queue.put(request)

    def half_close(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


class Cases:
    def __init__(self, channel, messages):
        self._channel = channel
        self._messages = messages

    def empty_unary(self):
        response = self._unary("EmptyCall", "Empty", "Empty")(
            self._messages.Empty(), timeout=TIMEOUT)
        check("response", response, self._messages.Empty())

    def large_unary(self):
        response = self._unary_call(self._large_request(), timeout=TIMEOUT)
        check_body(response.payload, contract.LARGE_RESPONSE)

    def client_streaming(self):
        requests = (self._messages.StreamingInputCallRequest(payload=self._zeros(size))
                    for size in contract.REQUEST_SIZES)
        response = self._streaming_input(requests, timeout=TIMEOUT)
        check("aggregated_payload_size", response.aggregated_payload_size,
              sum(contract.REQUEST_SIZES))

    def server_streaming(self):
        request = self._messages.StreamingOutputCallRequest(
            response_parameters=[{"size": size} for size in contract.RESPONSE_SIZES])
        method = self._method(self._channel.unary_stream, contract.SERVICE, "StreamingOutputCall",
                              "StreamingOutputCallRequest", "StreamingOutputCallResponse")
        responses = list(method(request, timeout=TIMEOUT))
        check("responses", len(responses), len(contract.RESPONSE_SIZES))
        for response, size in zip(responses, contract.RESPONSE_SIZES):
            check_body(response.payload, size)

    def ping_pong(self):
        requests = Requests()
        call = self._full_duplex(iter(requests), timeout=TIMEOUT)
        for request_size, response_size in zip(contract.REQUEST_SIZES, contract.RESPONSE_SIZES):
            requests.send(self._ping(request_size, response_size))
            check_body(next(call).payload, response_size)
        requests.half_close()
        check("responses after the half-close", len(list(call)), 0)
        check_status(call, grpc.StatusCode.OK)

    def empty_stream(self):
        call = self._full_duplex(iter(()), timeout=TIMEOUT)
        check("responses", len(list(call)), 0)
        check_status(call, grpc.StatusCode.OK)

    def custom_metadata(self):
        metadata = ((contract.INITIAL_KEY, contract.INITIAL_VALUE),
                    (contract.TRAILING_KEY, contract.TRAILING_VALUE))
        response, call = self._unary_call.with_call(
            self._large_request(), metadata=metadata, timeout=TIMEOUT)
        check_body(response.payload, contract.LARGE_RESPONSE)
        self._check_metadata("unary", call)

        ping = self._ping(contract.LARGE_REQUEST, contract.LARGE_RESPONSE)
        call = self._full_duplex(iter((ping,)), metadata=metadata, timeout=TIMEOUT)
        responses = list(call)
        check("responses", len(responses), 1)
        check_body(responses[0].payload, contract.LARGE_RESPONSE)
        self._check_metadata("duplex", call)

    def status_code_and_message(self):
        self._expect_echoed_status(contract.STATUS_MESSAGE)
        request = self._messages.StreamingOutputCallRequest(
            response_status={"code": 2, "message": contract.STATUS_MESSAGE})
        call = self._full_duplex(iter((request,)), timeout=TIMEOUT)
        failure(lambda: next(call))
        check_status(call, grpc.StatusCode.UNKNOWN, contract.STATUS_MESSAGE)

    def special_status_message(self):
        self._expect_echoed_status(contract.SPECIAL_MESSAGE)

    def unimplemented_method(self):
        self._expect_unimplemented(contract.SERVICE)

    def unimplemented_service(self):
        self._expect_unimplemented(contract.UNIMPLEMENTED_SERVICE)

    def timeout_on_sleeping_server(self):
        self.empty_unary()  # connects, so that the call has its millisecond for itself
        requests = Requests()
        requests.send(self._messages.StreamingOutputCallRequest(
            payload=self._zeros(contract.REQUEST_SIZES[0])))
        call = self._full_duplex(iter(requests), timeout=0.001)
        failure(lambda: next(call))
        requests.half_close()
        check_status(call, grpc.StatusCode.DEADLINE_EXCEEDED)

    def cancel_after_begin(self):
        requests = Requests()
        call = self._streaming_input.future(iter(requests), timeout=TIMEOUT)
        call.cancel()
        failure(call.result)
        requests.half_close()
        check_status(call, grpc.StatusCode.CANCELLED)

    def cancel_after_first_response(self):
        requests = Requests()
        call = self._full_duplex(iter(requests), timeout=TIMEOUT)
        requests.send(self._ping(contract.REQUEST_SIZES[0], contract.RESPONSE_SIZES[0]))
        check_body(next(call).payload, contract.RESPONSE_SIZES[0])
        call.cancel()
        failure(lambda: next(call))
        requests.half_close()
        check_status(call, grpc.StatusCode.CANCELLED)

    def health(self):
        check_health = self._channel.unary_unary("/grpc.health.v1.Health/Check")
        check("the server's health", check_health(b"", timeout=TIMEOUT), contract.SERVING)
        error = failure(lambda: check_health(contract.NO_SERVICE, timeout=TIMEOUT))
        check_status(error, grpc.StatusCode.NOT_FOUND)
        watch = self._channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=TIMEOUT)
        check("the watched health", next(watch), contract.SERVING)
        watch.cancel()

    def reflection(self):
        """In v1, or in v1alpha: some know that alone."""
        try:
            names, file = self._talk("v1")
        except grpc.RpcError as error:
            check_status(error, grpc.StatusCode.UNIMPLEMENTED)
            names, file = self._talk("v1alpha")
        check("the service is listed", contract.SERVICE.encode() in names, True)
        check("its file is given", b"TestService" in file.replace(contract.FILE_OF_SERVICE, b""),
              True)

    def rich_error(self):
        request = self._messages.SimpleRequest(
            response_status={"code": 3, "message": contract.RICH_MESSAGE})
        error = failure(lambda: self._unary_call(request, timeout=TIMEOUT))
        check_status(error, grpc.StatusCode.INVALID_ARGUMENT, contract.RICH_MESSAGE)
        check("its details", dict(error.trailing_metadata()).get("grpc-status-details-bin"),
              contract.RICH_DETAILS)

    # What the cases share.

    def _talk(self, version):
        method = self._channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
        requests = contract.LIST_SERVICES, contract.FILE_OF_SERVICE
        return tuple(method(iter(requests), timeout=TIMEOUT))

    @property
    def _unary_call(self):
        return self._unary("UnaryCall", "SimpleRequest", "SimpleResponse")

    @property
    def _streaming_input(self):
        return self._method(self._channel.stream_unary, contract.SERVICE, "StreamingInputCall",
                            "StreamingInputCallRequest", "StreamingInputCallResponse")

    @property
    def _full_duplex(self):
        return self._method(self._channel.stream_stream, contract.SERVICE, "FullDuplexCall",
                            "StreamingOutputCallRequest", "StreamingOutputCallResponse")

    def _unary(self, method, request, response):
        return self._method(self._channel.unary_unary, contract.SERVICE, method, request, response)

    def _method(self, maker, service, method, request, response):
        return maker(f"/{service}/{method}",
                     request_serializer=getattr(self._messages, request).SerializeToString,
                     response_deserializer=getattr(self._messages, response).FromString)

    def _zeros(self, size):
        return contract.zeros(self._messages, size)

    def _large_request(self):
        return self._messages.SimpleRequest(response_size=contract.LARGE_RESPONSE,
                                            payload=self._zeros(contract.LARGE_REQUEST))

    def _ping(self, request_size, response_size):
        return self._messages.StreamingOutputCallRequest(
            response_parameters=[{"size": response_size}], payload=self._zeros(request_size))

    def _check_metadata(self, which, call):
        check(f"{which} {contract.INITIAL_KEY}",
              dict(call.initial_metadata()).get(contract.INITIAL_KEY), contract.INITIAL_VALUE)
        check(f"{which} {contract.TRAILING_KEY}",
              dict(call.trailing_metadata()).get(contract.TRAILING_KEY), contract.TRAILING_VALUE)

    def _expect_echoed_status(self, message):
        request = self._messages.SimpleRequest(response_status={"code": 2, "message": message})
        error = failure(lambda: self._unary_call(request, timeout=TIMEOUT))
        check_status(error, grpc.StatusCode.UNKNOWN, message)

    def _expect_unimplemented(self, service):
        method = self._method(self._channel.unary_unary, service, "UnimplementedCall",
                              "Empty", "Empty")
        error = failure(lambda: method(self._messages.Empty(), timeout=TIMEOUT))
        check_status(error, grpc.StatusCode.UNIMPLEMENTED)


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--address", required=True, help="unix:PATH")
    flags.add_argument("--test_case", required=True)
    flags.add_argument("--protoset", required=True, help="descriptor set of the contract")
    options = flags.parse_args()

    with grpc.insecure_channel(options.address) as channel:
        cases = Cases(channel, contract.Messages(options.protoset))
        run = None if options.test_case.startswith("_") else getattr(cases, options.test_case, None)
        if run is None:
            sys.exit(f"unknown test case '{options.test_case}'")
        try:
            run()
        except Differs as differs:
            sys.exit(f"{options.test_case}: {differs}")
        except grpc.RpcError as error:
            sys.exit(f"{options.test_case}: {error.code()}: {error.details()!r}")


if __name__ == "__main__":
    main()

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

// cases holds each interop case. A case returns what differed.
var cases = map[string]func(context.Context, *grpc.ClientConn) error{
	"empty_unary":                 onTestService(emptyUnary),
	"large_unary":                 onTestService(largeUnary),
	"client_streaming":            onTestService(clientStreaming),
	"server_streaming":            onTestService(serverStreaming),
	"ping_pong":                   onTestService(pingPong),
	"empty_stream":                onTestService(emptyStream),
	"custom_metadata":             onTestService(customMetadata),
	"status_code_and_message":     onTestService(statusCodeAndMessage),
	"special_status_message":      onTestService(specialStatusMessage),
	"unimplemented_method":        onTestService(unimplementedMethod),
	"unimplemented_service":       unimplementedService,
	"timeout_on_sleeping_server":  onTestService(timeoutOnSleepingServer),
	"cancel_after_begin":          onTestService(cancelAfterBegin),
	"cancel_after_first_response": onTestService(cancelAfterFirstResponse),
}

func onTestService(
	run func(context.Context, pb.TestServiceClient) error) func(context.Context, *grpc.ClientConn) error {
	return func(ctx context.Context, channel *grpc.ClientConn) error {
		return run(ctx, pb.NewTestServiceClient(channel))
	}
}

func emptyUnary(ctx context.Context, client pb.TestServiceClient) error {
	_, err := client.EmptyCall(ctx, new(pb.Empty))
	return err
}

func largeUnary(ctx context.Context, client pb.TestServiceClient) error {
	response, err := client.UnaryCall(ctx, large())
	if err != nil {
		return err
	}
	return checkBody(response.Payload, largeResponse)
}

func clientStreaming(ctx context.Context, client pb.TestServiceClient) error {
	call, err := client.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	var total int32
	for _, size := range requestSizes {
		if err := call.Send(&pb.StreamingInputCallRequest{Payload: zeros(size)}); err != nil {
			return err
		}
		total += size
	}
	response, err := call.CloseAndRecv()
	if err != nil {
		return err
	}
	return check("aggregated_payload_size", response.AggregatedPayloadSize, total)
}

func serverStreaming(ctx context.Context, client pb.TestServiceClient) error {
	request := new(pb.StreamingOutputCallRequest)
	for _, size := range responseSizes {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	call, err := client.StreamingOutputCall(ctx, request)
	if err != nil {
		return err
	}
	for _, size := range responseSizes {
		response, err := call.Recv()
		if err != nil {
			return err
		}
		if err := checkBody(response.Payload, size); err != nil {
			return err
		}
	}
	_, err = call.Recv()
	return check("after the last response", err, io.EOF)
}

func pingPong(ctx context.Context, client pb.TestServiceClient) error {
	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for i := range requestSizes {
		if err := call.Send(ping(requestSizes[i], responseSizes[i])); err != nil {
			return err
		}
		response, err := call.Recv()
		if err != nil {
			return err
		}
		if err := checkBody(response.Payload, responseSizes[i]); err != nil {
			return err
		}
	}
	return checkLast(call)
}

func emptyStream(ctx context.Context, client pb.TestServiceClient) error {
	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	return checkLast(call)
}

func customMetadata(ctx context.Context, client pb.TestServiceClient) error {
	ctx = metadata.AppendToOutgoingContext(ctx, initialKey, initialValue, trailingKey, trailingValue)
	var headers, trailers metadata.MD
	response, err := client.UnaryCall(ctx, large(), grpc.Header(&headers), grpc.Trailer(&trailers))
	if err != nil {
		return err
	}
	if err := checkBody(response.Payload, largeResponse); err != nil {
		return err
	}
	if err := checkMetadata("unary", headers, trailers); err != nil {
		return err
	}

	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := call.Send(ping(largeRequest, largeResponse)); err != nil {
		return err
	}
	duplex, err := call.Recv()
	if err != nil {
		return err
	}
	if err := checkBody(duplex.Payload, largeResponse); err != nil {
		return err
	}
	if err := checkLast(call); err != nil {
		return err
	}
	if headers, err = call.Header(); err != nil {
		return err
	}
	return checkMetadata("duplex", headers, call.Trailer())
}

func statusCodeAndMessage(ctx context.Context, client pb.TestServiceClient) error {
	const message = "test status message"
	if err := checkEchoedStatus(ctx, client, message); err != nil {
		return err
	}
	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := call.Send(&pb.StreamingOutputCallRequest{ResponseStatus: unknown(message)}); err != nil {
		return err
	}
	if err := call.CloseSend(); err != nil {
		return err
	}
	_, err = call.Recv()
	return checkStatus(err, codes.Unknown, message)
}

func specialStatusMessage(ctx context.Context, client pb.TestServiceClient) error {
	return checkEchoedStatus(ctx, client,
		"\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")
}

func unimplementedMethod(ctx context.Context, client pb.TestServiceClient) error {
	_, err := client.UnimplementedCall(ctx, new(pb.Empty))
	return checkCode(err, codes.Unimplemented)
}

func unimplementedService(ctx context.Context, channel *grpc.ClientConn) error {
	_, err := pb.NewUnimplementedServiceClient(channel).UnimplementedCall(ctx, new(pb.Empty))
	return checkCode(err, codes.Unimplemented)
}

func timeoutOnSleepingServer(ctx context.Context, client pb.TestServiceClient) error {
	// Connects, so that the call has its millisecond for itself.
	if err := emptyUnary(ctx, client); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	call, err := client.FullDuplexCall(ctx)
	if err == nil {
		call.Send(&pb.StreamingOutputCallRequest{Payload: zeros(requestSizes[0])})
		_, err = call.Recv()
	}
	return checkCode(err, codes.DeadlineExceeded)
}

func cancelAfterBegin(ctx context.Context, client pb.TestServiceClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := client.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	cancel()
	_, err = call.CloseAndRecv()
	return checkCode(err, codes.Canceled)
}

func cancelAfterFirstResponse(ctx context.Context, client pb.TestServiceClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := client.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := call.Send(ping(requestSizes[0], responseSizes[0])); err != nil {
		return err
	}
	response, err := call.Recv()
	if err != nil {
		return err
	}
	if err := checkBody(response.Payload, responseSizes[0]); err != nil {
		return err
	}
	cancel()
	_, err = call.Recv()
	return checkCode(err, codes.Canceled)
}

// What the cases share.

func large() *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: largeResponse, Payload: zeros(largeRequest)}
}

func ping(requestSize, responseSize int32) *pb.StreamingOutputCallRequest {
	return &pb.StreamingOutputCallRequest{
		ResponseParameters: []*pb.ResponseParameters{{Size: responseSize}},
		Payload:            zeros(requestSize),
	}
}

func unknown(message string) *pb.EchoStatus {
	return &pb.EchoStatus{Code: int32(codes.Unknown), Message: message}
}

func check(what string, got, expected interface{}) error {
	if got == expected {
		return nil
	}
	return fmt.Errorf("%s: got %#v, expected %#v", what, got, expected)
}

func checkBody(payload *pb.Payload, size int32) error {
	body := payload.GetBody()
	if bytes.Equal(body, make([]byte, size)) {
		return nil
	}
	return fmt.Errorf("expected %d zero bytes, got %d bytes", size, len(body))
}

func checkCode(err error, code codes.Code) error {
	if status.Code(err) == code {
		return nil
	}
	return fmt.Errorf("expected %v, got %v", code, err)
}

func checkStatus(err error, code codes.Code, message string) error {
	if err := checkCode(err, code); err != nil {
		return err
	}
	return check("status message", status.Convert(err).Message(), message)
}

// checkLast ends the requests, after which the call has to end without another response.
func checkLast(call pb.TestService_FullDuplexCallClient) error {
	if err := call.CloseSend(); err != nil {
		return err
	}
	_, err := call.Recv()
	return check("after the last response", err, io.EOF)
}

func checkMetadata(which string, headers, trailers metadata.MD) error {
	initial, trailing := headers.Get(initialKey), trailers.Get(trailingKey)
	if len(initial) == 1 && initial[0] == initialValue && len(trailing) == 1 && trailing[0] == trailingValue {
		return nil
	}
	return fmt.Errorf("%s: got the headers %v and the trailers %v", which, headers, trailers)
}

func checkEchoedStatus(ctx context.Context, client pb.TestServiceClient, message string) error {
	_, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: unknown(message)})
	return checkStatus(err, codes.Unknown, message)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "grpc/testing"
)

// testService is the interop TestService. What it lacks is UNIMPLEMENTED.
type testService struct {
	pb.UnimplementedTestServiceServer
}

func (*testService) EmptyCall(context.Context, *pb.Empty) (*pb.Empty, error) {
	return new(pb.Empty), nil
}

func (*testService) UnaryCall(ctx context.Context, request *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	headers, trailers := echoed(ctx)
	grpc.SetHeader(ctx, headers)
	grpc.SetTrailer(ctx, trailers)
	if err := wantedStatus(request.ResponseStatus); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: zeros(request.ResponseSize)}, nil
}

func (*testService) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	var total int32
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: total})
		}
		if err != nil {
			return err
		}
		total += int32(len(request.GetPayload().GetBody()))
	}
}

func (*testService) StreamingOutputCall(request *pb.StreamingOutputCallRequest,
	stream pb.TestService_StreamingOutputCallServer) error {
	echoMetadata(stream)
	return answer(request, stream)
}

func (*testService) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	echoMetadata(stream)
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(request, stream); err != nil {
			return err
		}
	}
}

// answers is a stream on which responses are sent, of either kind of call.
type answers interface {
	Send(*pb.StreamingOutputCallResponse) error
	Context() context.Context
}

func answer(request *pb.StreamingOutputCallRequest, stream answers) error {
	if err := wantedStatus(request.ResponseStatus); err != nil {
		return err
	}
	for _, wanted := range request.ResponseParameters {
		select {
		case <-time.After(time.Duration(wanted.IntervalUs) * time.Microsecond):
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
		response := &pb.StreamingOutputCallResponse{Payload: zeros(wanted.Size)}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	return nil
}

func wantedStatus(wanted *pb.EchoStatus) error {
	if wanted.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(wanted.Code), wanted.Message)
}

// echoed is the metadata that the call wants back: headers and trailers.
func echoed(ctx context.Context) (headers, trailers metadata.MD) {
	received, _ := metadata.FromIncomingContext(ctx)
	headers, trailers = metadata.MD{}, metadata.MD{}
	headers.Set(initialKey, received.Get(initialKey)...)
	trailers.Set(trailingKey, received.Get(trailingKey)...)
	return headers, trailers
}

func echoMetadata(stream grpc.ServerStream) {
	headers, trailers := echoed(stream.Context())
	stream.SetHeader(headers)
	stream.SetTrailer(trailers)
}

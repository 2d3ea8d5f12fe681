// SPDX-License-Identifier: Apache-2.0

// The grpc-go peer: the word "server" or "client", then the flags that all peers have.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	pb "grpc/testing"
)

const (
	largeRequest  = 271828
	largeResponse = 314159
	initialKey    = "x-grpc-test-echo-initial"
	initialValue  = "test_initial_metadata_value"
	trailingKey   = "x-grpc-test-echo-trailing-bin"
	trailingValue = "\xab\xab\xab"
)

var (
	requestSizes  = []int32{27182, 8, 1828, 45904}
	responseSizes = []int32{31415, 9, 2653, 58979}
)

func zeros(size int32) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

// network says what unix:PATH or ipv4:HOST:PORT means to package net.
func network(address string) (string, string, error) {
	if path := strings.TrimPrefix(address, "unix:"); path != address {
		return "unix", path, nil
	}
	if tcp := strings.TrimPrefix(address, "ipv4:"); tcp != address {
		return "tcp4", tcp, nil
	}
	return "", "", fmt.Errorf("--address=%s: only unix:PATH and ipv4:HOST:PORT are known", address)
}

func serve(address string) error {
	kind, name, err := network(address)
	if err != nil {
		return err
	}
	listener, err := net.Listen(kind, name)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, &testService{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Println("READY")
	return server.Serve(listener)
}

// call runs one case over a channel of its own. This grpc-go has no resolver for Unix sockets, so a
// dialer connects.
func call(address, name string) error {
	kind, place, err := network(address)
	if err != nil {
		return err
	}
	run, found := cases[name]
	if !found {
		return fmt.Errorf("unknown test case '%s'", name)
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, kind, place)
	}
	channel, err := grpc.Dial("localhost", grpc.WithInsecure(), grpc.WithContextDialer(dial))
	if err != nil {
		return err
	}
	defer channel.Close()
	// Every call has a deadline, so that one that hangs says so.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx, channel); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func main() {
	const usage = "usage: interop_peer server|client --address=unix:PATH [--test_case=NAME]"
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	flags := flag.NewFlagSet(usage, flag.ExitOnError)
	address := flags.String("address", "", "unix:PATH or ipv4:HOST:PORT")
	name := flags.String("test_case", "", "of the client")
	flags.Parse(os.Args[2:])
	err := fmt.Errorf(usage)
	switch os.Args[1] {
	case "server":
		err = serve(*address)
	case "client":
		err = call(*address, *name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

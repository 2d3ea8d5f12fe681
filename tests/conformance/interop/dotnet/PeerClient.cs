// SPDX-License-Identifier: Apache-2.0
// The .NET peer's client: each interop case is one function; a ConnectCallback connects.
using System.IO.Pipes;
using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using Grpc.Testing;

namespace Nearcall.Interop;

/// <summary>What the server did, and what the contract says instead.</summary>
internal sealed class Differs(string what) : Exception(what);

internal sealed class PeerClient
{
    private readonly TestService.TestServiceClient _test;
    private readonly UnimplementedService.UnimplementedServiceClient _unimplemented;

    private readonly Health.HealthClient _health;
    private readonly ServerReflection.ServerReflectionClient _reflection;

    private PeerClient(GrpcChannel channel)
    {
        _health = new(channel);
        _reflection = new(channel);
        _test = new(channel);
        _unimplemented = new(channel);
    }

    public static async Task<int> RunAsync(Address address, string name)
    {
        using var channel = Connect(address);
        var client = new PeerClient(channel);
        if (!client.Cases().TryGetValue(name, out var run))
        {
            Console.Error.WriteLine($"unknown test case '{name}'");
            return 2;
        }
        try
        {
            await run();
            return 0;
        }
        catch (Exception e) when (e is Differs or RpcException)
        {
            Console.Error.WriteLine($"{name}: {e.Message}");
            return 1;
        }
    }

    private static async ValueTask<Stream> ConnectSocket(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async ValueTask<Stream> ConnectPipe(string name, CancellationToken cancellation)
    {
        var pipe = new NamedPipeClientStream(".", name, PipeDirection.InOut,
            PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        try
        {
            await pipe.ConnectAsync(cancellation);
            return pipe;
        }
        catch
        {
            await pipe.DisposeAsync();
            throw;
        }
    }

    private static GrpcChannel Connect(Address address)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = (_, cancellation) => address.IsPipe
                ? ConnectPipe(address.Name, cancellation)
                : ConnectSocket(address.Name, cancellation),
        };
        return GrpcChannel.ForAddress("http://localhost",
            new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    private Dictionary<string, Func<Task>> Cases() => new()
    {
        ["empty_unary"] = EmptyUnary,
        ["large_unary"] = LargeUnary,
        ["client_streaming"] = ClientStreaming,
        ["server_streaming"] = ServerStreaming,
        ["ping_pong"] = PingPong,
        ["empty_stream"] = EmptyStream,
        ["custom_metadata"] = CustomMetadata,
        ["status_code_and_message"] = StatusCodeAndMessage,
        ["special_status_message"] = SpecialStatusMessage,
        ["unimplemented_method"] = () =>
            ExpectUnimplemented(() => _test.UnimplementedCallAsync(new Empty(), Options())),
        ["unimplemented_service"] = () =>
            ExpectUnimplemented(
                () => _unimplemented.UnimplementedCallAsync(new Empty(), Options())),
        ["timeout_on_sleeping_server"] = TimeoutOnSleepingServer,
        ["cancel_after_begin"] = CancelAfterBegin,
        ["cancel_after_first_response"] = CancelAfterFirstResponse,
        ["health"] = HealthOfServer,
        ["reflection"] = ListServices,
        ["rich_error"] = RichError,
    };

    private async Task EmptyUnary() => await _test.EmptyCallAsync(new Empty(), Options());

    private async Task LargeUnary()
    {
        var response = await _test.UnaryCallAsync(LargeRequest(), Options());
        CheckBody(response.Payload, Contract.LargeResponse);
    }

    private async Task ClientStreaming()
    {
        using var call = _test.StreamingInputCall(Options());
        foreach (var size in Contract.RequestSizes)
        {
            var request = new StreamingInputCallRequest { Payload = Zeros(size) };
            await call.RequestStream.WriteAsync(request);
        }
        await call.RequestStream.CompleteAsync();
        var response = await call;
        Check("aggregated_payload_size", response.AggregatedPayloadSize, Contract.RequestSizes.Sum());
    }

    private async Task ServerStreaming()
    {
        var request = new StreamingOutputCallRequest();
        request.ResponseParameters.AddRange(
            Contract.ResponseSizes.Select(size => new ResponseParameters { Size = size }));
        using var call = _test.StreamingOutputCall(request, Options());
        var count = 0;
        await foreach (var response in call.ResponseStream.ReadAllAsync())
        {
            Check("a response too many", count == Contract.ResponseSizes.Length, false);
            CheckBody(response.Payload, Contract.ResponseSizes[count++]);
        }
        Check("responses", count, Contract.ResponseSizes.Length);
    }

    private async Task PingPong()
    {
        using var call = _test.FullDuplexCall(Options());
        for (var i = 0; i < Contract.RequestSizes.Length; ++i)
        {
            var ping = Ping(Contract.RequestSizes[i], Contract.ResponseSizes[i]);
            await call.RequestStream.WriteAsync(ping);
            Check("a response came", await call.ResponseStream.MoveNext(), true);
            CheckBody(call.ResponseStream.Current.Payload, Contract.ResponseSizes[i]);
        }
        await call.RequestStream.CompleteAsync();
        Check("a response after the half-close", await call.ResponseStream.MoveNext(), false);
    }

    private async Task EmptyStream()
    {
        using var call = _test.FullDuplexCall(Options());
        await call.RequestStream.CompleteAsync();
        Check("a response", await call.ResponseStream.MoveNext(), false);
        Check("status", call.GetStatus().StatusCode, StatusCode.OK);
    }

    private async Task CustomMetadata()
    {
        var metadata = new Metadata
        {
            { Contract.InitialKey, Contract.InitialValue },
            { Contract.TrailingKey, Contract.TrailingValue },
        };
        using var unary = _test.UnaryCallAsync(LargeRequest(), Options().WithHeaders(metadata));
        CheckBody((await unary).Payload, Contract.LargeResponse);
        CheckMetadata("unary", await unary.ResponseHeadersAsync, unary.GetTrailers());

        using var duplex = _test.FullDuplexCall(Options().WithHeaders(metadata));
        await duplex.RequestStream.WriteAsync(Ping(Contract.LargeRequest, Contract.LargeResponse));
        await duplex.RequestStream.CompleteAsync();
        Check("a response came", await duplex.ResponseStream.MoveNext(), true);
        CheckBody(duplex.ResponseStream.Current.Payload, Contract.LargeResponse);
        Check("a second response", await duplex.ResponseStream.MoveNext(), false);
        CheckMetadata("duplex", await duplex.ResponseHeadersAsync, duplex.GetTrailers());
    }

    private async Task StatusCodeAndMessage()
    {
        var wanted = Unknown(Contract.StatusMessage);
        var unary = new SimpleRequest { ResponseStatus = wanted };
        await ExpectStatus(StatusCode.Unknown, wanted.Message,
            async () => await _test.UnaryCallAsync(unary, Options()));

        using var call = _test.FullDuplexCall(Options());
        var duplex = new StreamingOutputCallRequest { ResponseStatus = wanted };
        await call.RequestStream.WriteAsync(duplex);
        await Quietly(() => call.RequestStream.CompleteAsync());
        await ExpectStatus(StatusCode.Unknown, wanted.Message,
            () => call.ResponseStream.MoveNext());
    }

    private Task SpecialStatusMessage()
    {
        var wanted = Unknown(Contract.SpecialMessage);
        var request = new SimpleRequest { ResponseStatus = wanted };
        return ExpectStatus(StatusCode.Unknown, wanted.Message,
            async () => await _test.UnaryCallAsync(request, Options()));
    }

    private static Task ExpectUnimplemented(Func<AsyncUnaryCall<Empty>> start) =>
        ExpectStatus(StatusCode.Unimplemented, null, async () => await start());

    private async Task TimeoutOnSleepingServer()
    {
        await EmptyUnary(); // connects, so that the call has its millisecond for itself
        var deadline = DateTime.UtcNow.AddMilliseconds(1);
        using var call = _test.FullDuplexCall(new CallOptions(deadline: deadline));
        var request = new StreamingOutputCallRequest { Payload = Zeros(Contract.RequestSizes[0]) };
        await Quietly(() => call.RequestStream.WriteAsync(request));
        await ExpectStatus(StatusCode.DeadlineExceeded, null, () => call.ResponseStream.MoveNext());
    }

    private async Task CancelAfterBegin()
    {
        using var cancel = new CancellationTokenSource();
        using var call = _test.StreamingInputCall(Options().WithCancellationToken(cancel.Token));
        await cancel.CancelAsync();
        await ExpectStatus(StatusCode.Cancelled, null, async () => await call);
    }

    private async Task CancelAfterFirstResponse()
    {
        using var cancel = new CancellationTokenSource();
        using var call = _test.FullDuplexCall(Options().WithCancellationToken(cancel.Token));
        var ping = Ping(Contract.RequestSizes[0], Contract.ResponseSizes[0]);
        await call.RequestStream.WriteAsync(ping);
        Check("a response came", await call.ResponseStream.MoveNext(), true);
        CheckBody(call.ResponseStream.Current.Payload, Contract.ResponseSizes[0]);
        await cancel.CancelAsync();
        await ExpectStatus(StatusCode.Cancelled, null, () => call.ResponseStream.MoveNext());
    }

    private async Task HealthOfServer()
    {
        var answer = await _health.CheckAsync(new HealthCheckRequest(), Options());
        Check("health", answer.Status, HealthCheckResponse.Types.ServingStatus.Serving);
        await ExpectStatus(StatusCode.NotFound, null, async () => await _health.CheckAsync(
            new HealthCheckRequest { Service = "none.None" }, Options()));
        using var watching = _health.Watch(new HealthCheckRequest(), Options());
        Check("a status came", await watching.ResponseStream.MoveNext(), true);
        Check("watched", watching.ResponseStream.Current.Status,
            HealthCheckResponse.Types.ServingStatus.Serving);
    }

    private async Task ListServices()
    {
        using var call = _reflection.ServerReflectionInfo(Options());
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "*" });
        Check("an answer came", await call.ResponseStream.MoveNext(), true);
        Check("it is listed", call.ResponseStream.Current.ListServicesResponse.Service.Any(
            service => service.Name == "grpc.testing.TestService"), true);
        await call.RequestStream.CompleteAsync();
        Check("a second answer", await call.ResponseStream.MoveNext(), false);
    }

    private async Task RichError()
    {
        var wanted = new EchoStatus { Code = 3, Message = Contract.RichMessage };
        try
        {
            await _test.UnaryCallAsync(new SimpleRequest { ResponseStatus = wanted }, Options());
        }
        catch (RpcException e)
        {
            var info = e.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>();
            Check("its reason", info?.Reason, Contract.RichReason);
            return;
        }
        throw new Differs("the call went on or ended OK, expected a failure");
    }

    /// <summary>Every call has a deadline, so that one that hangs says so.</summary>
    private static CallOptions Options() => new(deadline: DateTime.UtcNow.AddSeconds(10));

    private static EchoStatus Unknown(string message) =>
        new() { Code = (int)StatusCode.Unknown, Message = message };

    private static Payload Zeros(int size) => new() { Body = ByteString.CopyFrom(new byte[size]) };

    private static SimpleRequest LargeRequest() =>
        new() { ResponseSize = Contract.LargeResponse, Payload = Zeros(Contract.LargeRequest) };

    private static StreamingOutputCallRequest Ping(int requestSize, int responseSize)
    {
        var request = new StreamingOutputCallRequest { Payload = Zeros(requestSize) };
        request.ResponseParameters.Add(new ResponseParameters { Size = responseSize });
        return request;
    }

    /// <summary>Writing into a call that has ended throws; its status is what counts.</summary>
    private static async Task Quietly(Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or IOException)
        {
        }
    }

    private static async Task ExpectStatus(StatusCode code, string? message, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (RpcException e)
        {
            Check("status", e.StatusCode, code);
            if (message is not null)
            {
                Check("status message", e.Status.Detail, message);
            }
            return;
        }
        throw new Differs($"the call went on or ended OK, expected {code}");
    }

    private static void CheckMetadata(string which, Metadata headers, Metadata trailers)
    {
        var initial = headers.GetValue(Contract.InitialKey);
        Check($"{which} {Contract.InitialKey}", initial, Contract.InitialValue);
        var trailing = trailers.GetValueBytes(Contract.TrailingKey) ?? [];
        Check($"{which} {Contract.TrailingKey}", Convert.ToHexString(trailing),
            Convert.ToHexString(Contract.TrailingValue));
    }

    private static void CheckBody(Payload? payload, int size)
    {
        Check("body length", payload?.Body.Length ?? 0, size);
        Check("body is zeros", payload?.Body.All(each => each == 0) ?? true, true);
    }

    private static void Check<T>(string what, T got, T expected)
    {
        if (!EqualityComparer<T>.Default.Equals(got, expected))
        {
            throw new Differs($"{what}: got '{got}', expected '{expected}'");
        }
    }
}

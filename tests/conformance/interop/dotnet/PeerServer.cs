// SPDX-License-Identifier: Apache-2.0
// The .NET peer's server: the interop TestService on Kestrel over a Unix socket or a named pipe,
// HTTP/2 only.
using Grpc.Core;
using Grpc.Testing;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Nearcall.Interop;

internal static class PeerServer
{
    public static async Task RunAsync(Address address)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IConnectionListenerFactory, PipeListenerFactory>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Action<ListenOptions> listen = options => options.Protocols = HttpProtocols.Http2;
            if (address.IsPipe)
            {
                kestrel.ListenNamedPipe(address.Name, listen);
            }
            else
            {
                kestrel.ListenUnixSocket(address.Name, listen);
            }
        });
        builder.Services.Configure<HostOptions>(
            host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.Services.AddGrpc();
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks().AddCheck("self",
            () => Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckResult.Healthy());
        await using var app = builder.Build();
        app.MapGrpcService<TestServicePeer>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        await app.StartAsync();
        Console.WriteLine("READY");
        await app.WaitForShutdownAsync();
    }
}

internal sealed class TestServicePeer : TestService.TestServiceBase
{
    public override Task<Grpc.Testing.Empty> EmptyCall(Grpc.Testing.Empty request, ServerCallContext context) =>
        Task.FromResult(new Grpc.Testing.Empty());

    public override async Task<SimpleResponse> UnaryCall(
        SimpleRequest request, ServerCallContext context)
    {
        await EchoMetadata(context);
        EchoStatus(request.ResponseStatus);
        return new SimpleResponse { Payload = Zeros(request.ResponseSize) };
    }

    public override async Task<StreamingInputCallResponse> StreamingInputCall(
        IAsyncStreamReader<StreamingInputCallRequest> requests, ServerCallContext context)
    {
        var total = 0;
        await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
        {
            total += request.Payload?.Body.Length ?? 0;
        }
        return new StreamingInputCallResponse { AggregatedPayloadSize = total };
    }

    public override async Task StreamingOutputCall(StreamingOutputCallRequest request,
        IServerStreamWriter<StreamingOutputCallResponse> responses, ServerCallContext context)
    {
        await EchoMetadata(context);
        await Answer(request, responses, context);
    }

    public override async Task FullDuplexCall(
        IAsyncStreamReader<StreamingOutputCallRequest> requests,
        IServerStreamWriter<StreamingOutputCallResponse> responses, ServerCallContext context)
    {
        await EchoMetadata(context);
        await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
        {
            await Answer(request, responses, context);
        }
    }

    private static async Task Answer(StreamingOutputCallRequest request,
        IServerStreamWriter<StreamingOutputCallResponse> responses, ServerCallContext context)
    {
        EchoStatus(request.ResponseStatus);
        foreach (var wanted in request.ResponseParameters)
        {
            if (wanted.IntervalUs > 0)
            {
                var interval = TimeSpan.FromMicroseconds(wanted.IntervalUs);
                await Task.Delay(interval, context.CancellationToken);
            }
            var response = new StreamingOutputCallResponse { Payload = Zeros(wanted.Size) };
            await responses.WriteAsync(response);
        }
    }

    private static Payload Zeros(int size) => new() { Body = ByteString.CopyFrom(new byte[size]) };

    private static void EchoStatus(EchoStatus? wanted)
    {
        if (wanted is { Message: Contract.RichMessage })
        {
            throw new Google.Rpc.Status
            {
                Code = wanted.Code,
                Message = wanted.Message,
                Details = { Any.Pack(new ErrorInfo { Reason = Contract.RichReason }) },
            }.ToRpcException();
        }
        if (wanted is { Code: not 0 })
        {
            throw new RpcException(new Grpc.Core.Status((StatusCode)wanted.Code, wanted.Message));
        }
    }

    private static async Task EchoMetadata(ServerCallContext context)
    {
        if (context.RequestHeaders.GetValueBytes(Contract.TrailingKey) is { } trailing)
        {
            context.ResponseTrailers.Add(Contract.TrailingKey, trailing);
        }
        if (context.RequestHeaders.GetValue(Contract.InitialKey) is { } initial)
        {
            var headers = new Metadata { { Contract.InitialKey, initial } };
            await context.WriteResponseHeadersAsync(headers);
        }
    }
}

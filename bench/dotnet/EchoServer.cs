// SPDX-License-Identifier: Apache-2.0
// The .NET server in the comparison: Kestrel on a Unix socket, HTTP/2 only.
using Bench;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Nearcall.Bench;

internal static class EchoServer
{
    public static async Task RunAsync(Options options)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.ListenUnixSocket(options.Path, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.Configure<HostOptions>(
            host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        await using var app = builder.Build();
        app.MapGrpcService<EchoService>();
        await app.StartAsync();
        Console.WriteLine("READY");
        await app.WaitForShutdownAsync();
    }
}

internal sealed class EchoService : Echo.EchoBase
{
    public override Task<Message> Unary(Message request, ServerCallContext context) =>
        Task.FromResult(new Message { Payload = request.Payload });

    public override async Task Expand(ExpandRequest request,
        IServerStreamWriter<Message> replies, ServerCallContext context)
    {
        var reply = new Message { Payload = ByteString.CopyFrom(new byte[(int)request.Size]) };
        for (ulong i = 0; i < request.Messages && !context.CancellationToken.IsCancellationRequested; ++i)
        {
            await replies.WriteAsync(reply);
        }
    }

    public override async Task<Message> Collect(
        IAsyncStreamReader<Message> requests, ServerCallContext context)
    {
        while (await requests.MoveNext())
        {
        }
        return new Message();
    }

    public override async Task Chat(IAsyncStreamReader<Message> requests,
        IServerStreamWriter<Message> replies, ServerCallContext context)
    {
        while (await requests.MoveNext())
        {
            await replies.WriteAsync(requests.Current);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
// The .NET client in the comparison. Calls of several threads block; all others are awaited.
using System.Diagnostics;
using System.Net.Sockets;
using Bench;
using Google.Protobuf;
using Grpc.Net.Client;

namespace Nearcall.Bench;

internal sealed class EchoClient(Options options)
{
    private const int NoSuchCase = 77;

    private readonly Message _request =
        new() { Payload = ByteString.CopyFrom(new byte[options.Size]) };

    public static async Task<int> RunAsync(Options options)
    {
        var client = new EchoClient(options);
        Func<Task>? run = options.Case switch
        {
            "unary" => options.Threads == 1 ? client.Unary : client.UnaryOnThreads,
            "once" => client.Once,
            "pipelined" => client.Pipelined,
            "expand" => client.Expand,
            "collect" => client.Collect,
            "chat" => client.Chat,
            "flood" => client.Flood,
            "hold" => client.Hold,
            _ => null,
        };
        if (run is null)
        {
            return NoSuchCase;
        }
        await run();
        return 0;
    }

    private Echo.EchoClient Connect()
    {
        var endpoint = new UnixDomainSocketEndPoint(options.Path);
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(
                    AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(endpoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new Echo.EchoClient(GrpcChannel.ForAddress("http://localhost",
            new GrpcChannelOptions { HttpHandler = handler, MaxReceiveMessageSize = null }));
    }

    private void Check(Message reply)
    {
        if (reply.Payload.Length != options.Size)
        {
            throw new InvalidDataException("the reply has another size");
        }
    }

    private async Task CallAgainAndAgain(Echo.EchoClient[] echo, int first, Meter meter)
    {
        var next = first % echo.Length;
        long started;
        var now = Stopwatch.GetTimestamp();
        do
        {
            started = now;
            Check(await echo[next].UnaryAsync(_request));
            next = next + options.InFlight < echo.Length
                ? next + options.InFlight : first % echo.Length;
            now = Stopwatch.GetTimestamp();
        }
        while (meter.CallDone(started, now));
    }

    private async Task Unary()
    {
        var meter = new Meter(options);
        await CallAgainAndAgain([Connect()], 0, meter);
        meter.Print();
    }

    private Task UnaryOnThreads()
    {
        var echo = Connect();
        var meter = new Meter(options);
        void Work()
        {
            long started;
            var now = Stopwatch.GetTimestamp();
            do
            {
                started = now;
                Check(echo.Unary(_request));
                now = Stopwatch.GetTimestamp();
            }
            while (meter.CallDone(started, now));
        }
        var threads = Enumerable.Range(0, options.Threads).Select(_ => new Thread(Work)).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        meter.Print();
        return Task.CompletedTask;
    }

    private async Task Once() => Check(await Connect().UnaryAsync(_request));

    private async Task Pipelined()
    {
        var echo = Enumerable.Range(0, options.Connections).Select(_ => Connect()).ToArray();
        if (options.Calls == 0)
        {
            foreach (var each in echo)
            {
                await each.UnaryAsync(new Message());
            }
        }
        var meter = new Meter(options);
        await Task.WhenAll(Enumerable.Range(0, options.InFlight)
            .Select(i => Task.Run(() => CallAgainAndAgain(echo, i, meter))));
        meter.Print();
    }

    private async Task Expand()
    {
        var echo = Connect();
        var meter = new Meter(options);
        var seen = 0;
        while (!meter.IsOver)
        {
            var request = new ExpandRequest
            {
                Messages = (ulong)options.Messages,
                Size = (uint)options.Size,
            };
            using var call = echo.Expand(request);
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                if (++seen % 64 == 0 && !meter.MessagesDone(64))
                {
                    break; // leaving the call cancels it
                }
            }
        }
        meter.Print();
    }

    private async Task Collect()
    {
        var echo = Connect();
        var meter = new Meter(options);
        while (!meter.IsOver)
        {
            using var call = echo.Collect();
            for (var i = 1; i <= options.Messages && !meter.IsOver; ++i)
            {
                await call.RequestStream.WriteAsync(_request);
                if (i % 64 == 0)
                {
                    meter.MessagesDone(64);
                }
            }
            await call.RequestStream.CompleteAsync();
            await call;
        }
        meter.Print();
    }

    private async Task Chat()
    {
        using var call = Connect().Chat();
        var meter = new Meter(options);
        long started;
        var now = Stopwatch.GetTimestamp();
        do
        {
            started = now;
            await call.RequestStream.WriteAsync(_request);
            await call.ResponseStream.MoveNext(CancellationToken.None);
            Check(call.ResponseStream.Current);
            now = Stopwatch.GetTimestamp();
        }
        while (meter.CallDone(started, now));
        await call.RequestStream.CompleteAsync();
        meter.Print();
    }

    private async Task Flood()
    {
        using var call = Connect().Chat();
        var meter = new Meter(options);
        var writing = Task.Run(async () =>
        {
            while (!meter.IsOver)
            {
                await call.RequestStream.WriteAsync(_request);
            }
            await call.RequestStream.CompleteAsync();
        });
        var seen = 0;
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            if (++seen % 64 == 0)
            {
                meter.MessagesDone(64);
            }
        }
        await writing;
        meter.Print();
    }

    private async Task Hold()
    {
        var echo = Enumerable.Range(0, options.Connections).Select(_ => Connect()).ToArray();
        foreach (var each in echo)
        {
            Check(await each.UnaryAsync(_request));
        }
        Console.WriteLine("HELD");
        await Console.In.ReadToEndAsync();
    }
}

// SPDX-License-Identifier: Apache-2.0
// Named pipes for Kestrel, whose own transport for them exists on Windows only: NamedPipeServerStream.
using System.IO.Pipelines;
using System.IO.Pipes;
using System.Net;
using Microsoft.AspNetCore.Connections;
using PipeOptions = System.IO.Pipes.PipeOptions;

namespace Nearcall.Interop;

internal sealed class PipeListenerFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is NamedPipeEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellation) =>
        ValueTask.FromResult<IConnectionListener>(new PipeListener((NamedPipeEndPoint)endpoint));
}

/// <summary>Always has one stream that waits, so that the pipe exists as long as it is bound.</summary>
internal sealed class PipeListener(NamedPipeEndPoint endpoint) : IConnectionListener
{
    private readonly TaskCompletionSource _unbound = new();
    private NamedPipeServerStream _waiting = Make(endpoint.PipeName);

    public EndPoint EndPoint => endpoint;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellation)
    {
        var connected = _waiting.WaitForConnectionAsync(cancellation);
        if (await Task.WhenAny(connected, _unbound.Task) != connected)
        {
            return null;
        }
        await connected;
        var stream = _waiting;
        _waiting = Make(endpoint.PipeName);
        return new PipeConnection(stream);
    }

    public ValueTask UnbindAsync(CancellationToken cancellation)
    {
        _unbound.TrySetResult();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _unbound.TrySetResult();
        return _waiting.DisposeAsync();
    }

    private static NamedPipeServerStream Make(string name) =>
        new(name, PipeDirection.InOut, NamedPipeServerStream.MaxAllowedServerInstances,
            PipeTransmissionMode.Byte, PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
}

internal sealed class PipeConnection : DefaultConnectionContext, IDuplexPipe
{
    private readonly NamedPipeServerStream _stream;

    public PipeConnection(NamedPipeServerStream stream) : base(Guid.NewGuid().ToString())
    {
        _stream = stream;
        Input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        Output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        Transport = this;
    }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public override void Abort(ConnectionAbortedException reason)
    {
        base.Abort(reason);
        _stream.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _stream.DisposeAsync();
    }
}

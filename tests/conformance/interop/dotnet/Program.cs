// SPDX-License-Identifier: Apache-2.0
// The .NET peer's entry: the word "server" or "client", then the flags that all peers have.
using Nearcall.Interop;

string Flag(string name)
{
    var prefix = $"--{name}=";
    var given = args.FirstOrDefault(arg => arg.StartsWith(prefix, StringComparison.Ordinal));
    return given?[prefix.Length..] ?? throw new ArgumentException($"--{name}=… is missing");
}

string SocketPath()
{
    const string scheme = "unix:";
    var address = Flag("address");
    return address.StartsWith(scheme, StringComparison.Ordinal)
        ? address[scheme.Length..]
        : throw new ArgumentException($"--address={address}: only unix:PATH is known here");
}

switch (args.FirstOrDefault())
{
    case "server":
        await PeerServer.RunAsync(SocketPath());
        return 0;
    case "client":
        return await PeerClient.RunAsync(SocketPath(), Flag("test_case"));
    default:
        Console.Error.WriteLine(
            "usage: interop_peer server|client --address=unix:PATH [--test_case=NAME]");
        return 2;
}

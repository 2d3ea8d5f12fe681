// SPDX-License-Identifier: Apache-2.0
// The .NET peer's entry: the word "server" or "client", then the flags that all peers have.
using Nearcall.Interop;

string Flag(string name)
{
    var prefix = $"--{name}=";
    var given = args.FirstOrDefault(arg => arg.StartsWith(prefix, StringComparison.Ordinal));
    return given?[prefix.Length..] ?? throw new ArgumentException($"--{name}=… is missing");
}

switch (args.FirstOrDefault())
{
    case "server":
        await PeerServer.RunAsync(Address.Parse(Flag("address")));
        return 0;
    case "client":
        return await PeerClient.RunAsync(Address.Parse(Flag("address")), Flag("test_case"));
    default:
        Console.Error.WriteLine(
            "usage: interop_peer server|client --address=unix:PATH|npipe:NAME [--test_case=NAME]");
        return 2;
}

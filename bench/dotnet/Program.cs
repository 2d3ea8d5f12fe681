// SPDX-License-Identifier: Apache-2.0
// The .NET peer's entry: the word "server" or "client", then the flags that all peers have.
using Nearcall.Bench;

var options = new Options(args.Skip(1));
switch (args.FirstOrDefault())
{
    case "server":
        await EchoServer.RunAsync(options);
        return 0;
    case "client":
        return await EchoClient.RunAsync(options);
    default:
        Console.Error.WriteLine("usage: bench_dotnet server|client --address unix:PATH …");
        return 2;
}

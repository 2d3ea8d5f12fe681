// SPDX-License-Identifier: Apache-2.0
// Where the .NET peer listens or connects: unix:PATH, or npipe:NAME.
namespace Nearcall.Interop;

internal sealed record Address(bool IsPipe, string Name)
{
    public static Address Parse(string text) => text.Split(':', 2) switch
    {
        ["unix", var path] => new(IsPipe: false, path),
        ["npipe", var name] => new(IsPipe: true, name),
        _ => throw new ArgumentException($"--address={text}: only unix:PATH and npipe:NAME are known"),
    };
}

// SPDX-License-Identifier: Apache-2.0
// The command line of every program of the comparison, as bench/common/options.hpp has it.
using System.Globalization;

namespace Nearcall.Bench;

internal sealed class Options
{
    private readonly Dictionary<string, string> _given = [];

    public Options(IEnumerable<string> args)
    {
        var words = args.SelectMany(arg => arg.Split('=', 2)).ToArray();
        for (var i = 0; i + 1 < words.Length; i += 2)
        {
            _given[words[i]] = words[i + 1];
        }
    }

    public string Path => Text("--address", "")["unix:".Length..];
    public string Case => Text("--case", "");
    public int Size => Number("--size", 64);
    public int InFlight => Number("--inflight", 1);
    public int Threads => Number("--threads", 1);
    public int Connections => Number("--connections", 1);
    public int Messages => Number("--messages", 20000);
    public int Calls => Number("--calls", 0);
    public int ServerPid => Number("--server-pid", 0);
    public double Seconds => Real("--seconds", 0.5);
    public double Warmup => Real("--warmup", 0.1);

    private string Text(string name, string otherwise) =>
        _given.TryGetValue(name, out var value) ? value : otherwise;
    private int Number(string name, int otherwise) =>
        int.Parse(Text(name, otherwise.ToString(CultureInfo.InvariantCulture)),
            CultureInfo.InvariantCulture);
    private double Real(string name, double otherwise) =>
        double.Parse(Text(name, otherwise.ToString(CultureInfo.InvariantCulture)),
            CultureInfo.InvariantCulture);
}

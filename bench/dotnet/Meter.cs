// SPDX-License-Identifier: Apache-2.0
// The Meter of bench/common/meter.hpp for .NET: warm-up, then a window in which calls are counted.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nearcall.Bench;

internal sealed partial class Meter
{
    private enum Phase { Warming, Counting, Over }

    private readonly Lock _lock = new();
    private readonly Options _options;
    private readonly List<long> _latencies = new(1 << 16);
    private long _begin;
    private long _end;
    private long _count;
    private long _cpuClient;
    private long _cpuServer;
    private Phase _phase = Phase.Warming;

    public Meter(Options options)
    {
        _options = options;
        var now = Stopwatch.GetTimestamp();
        _begin = now + (long)(options.Warmup * Stopwatch.Frequency);
        if (options.Calls > 0)
        {
            Open(now);
        }
    }

    public bool IsOver => _phase == Phase.Over;

    /// <summary>One call is over; whether another one is to begin. From any thread.</summary>
    public bool CallDone(long started, long now)
    {
        lock (_lock)
        {
            return Count(1, started, now, hasLatency: true);
        }
    }

    /// <summary>So many more messages of a stream have passed.</summary>
    public bool MessagesDone(int count)
    {
        lock (_lock)
        {
            return Count(count, 0, Stopwatch.GetTimestamp(), hasLatency: false);
        }
    }

    public void Print()
    {
        _latencies.Sort();
        var seconds = (_end - _begin) / (double)Stopwatch.Frequency;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $$"""{"count": {{_count}}, "seconds": {{seconds:F9}}, "p50_ns": {{Quantile(0.5)}}, "p99_ns": {{Quantile(0.99)}}, "cpu_client_ns": {{_cpuClient}}, "cpu_server_ns": {{_cpuServer}}}"""));
    }

    private bool Count(int count, long started, long now, bool hasLatency)
    {
        if (_phase == Phase.Counting)
        {
            _count += count;
            if (hasLatency && started >= _begin)
            {
                _latencies.Add(now - started);
            }
            if (_options.Calls > 0 ? _count >= _options.Calls : now >= _end)
            {
                Close(now);
            }
        }
        else if (_phase == Phase.Warming && now >= _begin)
        {
            Open(now);
        }
        return _phase != Phase.Over;
    }

    private void Open(long now)
    {
        (_cpuClient, _cpuServer) = CpuTimes();
        _begin = now;
        _end = now + (long)(_options.Seconds * Stopwatch.Frequency);
        _phase = Phase.Counting;
    }

    private void Close(long now)
    {
        var (client, server) = CpuTimes();
        _cpuClient = client - _cpuClient;
        _cpuServer = server - _cpuServer;
        _end = now;
        _phase = Phase.Over;
    }

    private long Quantile(double fraction) =>
        _latencies.Count == 0
            ? 0
            : _latencies[(int)(fraction * (_latencies.Count - 1))] * 1_000_000_000
                / Stopwatch.Frequency;

    private (long Client, long Server) CpuTimes() =>
        (CpuTime(Environment.ProcessId), _options.ServerPid > 0 ? CpuTime(_options.ServerPid) : 0);

    /// <summary>What clock_getcpuclockid() makes of a process is ~pid &lt;&lt; 3 | 2.</summary>
    private static long CpuTime(int pid) =>
        ClockGetTime((~pid << 3) | 2, out var time) == 0
            ? time.Seconds * 1_000_000_000 + time.Nanoseconds
            : 0;

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);
}

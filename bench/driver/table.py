# SPDX-License-Identifier: Apache-2.0
"""The figures as Markdown: for each case a table of the peers, with their ratios to nearcall."""



def _floor(peer, results):
    """What a peer is held against: the bare socket that spins, or parks as it does."""
    parks = peer == "nearcall-park" or "raw-spin" not in results
    return results.get("raw-poll" if parks else "raw-spin", {})


def _times_floor(peer, figures, results):
    """By the latency of calls one at a time, else by the rate."""
    floor = _floor(peer, results)
    if "raw-spin" in results:
        return _ratio(figures["p50_us"], floor.get("p50_us"))
    return _ratio(floor.get("per_second"), figures["per_second"])


def _number(value):
    """Three digits that matter."""
    if value is None:
        return "–"
    for limit, unit, scale in ((1e9, " G", 1e9), (1e6, " M", 1e6), (1e4, " k", 1e3)):
        if value >= limit:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _ratio(above, below):
    return f"{above / below:.2f}" if above and below else "–"


def _row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _table(head, rows):
    return [_row(head), _row(["---"] + ["---:"] * (len(head) - 1)), *map(_row, rows), ""]


def _spread(figures, key):
    low, high = figures[f"{key}_spread"]
    middle = _number(figures[key])
    return middle if figures["rounds"] == 1 else f"{middle} ({_number(low)} – {_number(high)})"


def _case(case, results):
    ours = results.get("nearcall", {})
    rows = []
    for peer, figures in results.items():
        if "error" in figures:
            rows.append([peer, "failed"] + [""] * 7)
            continue
        has_latency = figures["p50_us"] > 0
        rows.append([
            peer,
            _spread(figures, "p50_us") if has_latency else "–",
            _number(figures["p99_us"]) if has_latency else "–",
            _spread(figures, "per_second"),
            _number(figures["bytes_per_second"] / 1e6),
            _number(figures["cpu_client_us"]),
            _number(figures["cpu_server_us"]),
            _times_floor(peer, figures, results),
            _ratio(ours.get("per_second"), figures["per_second"]),
        ])
    head = ["", "p50 µs", "p99 µs", f"{case.unit}/s", "MB/s", "CPU µs client", "CPU µs server",
            "× the floor", "nearcall's rate ÷ this"]
    return [f"### {case.title}", "", *_table(head, rows)]


def _standing(results):
    columns = (("idle", "rss_kib", "idle server, KiB"), ("idle", "threads", "threads"),
               ("idle", "cpu_ms_per_s", "CPU ms/s"),
               ("idle-connection", "kib_each", "one more connection, KiB"),
               ("start", "client_ms", "client: start, call, exit, ms"),
               ("start", "server_ms", "server: start, ready, exit, ms"),
               ("return", "p50_ms", "answer after a server's return, ms"),
               ("return", "p99_ms", "p99"))
    columns = [column for column in columns if column[0] in results]
    peers = list(dict.fromkeys(peer for name, *_ in columns for peer in results[name]))
    if not peers:
        return []
    rows = [[peer] + [_number(results[name].get(peer, {}).get(key)) for name, key, _ in columns]
            for peer in peers]
    return ["### Standing and starting", "", *_table([""] + [title for *_, title in columns], rows)]


def _calls(side):
    parts = []
    for name, (good, failed) in side.items():
        parts += [f"{text} {count:.3g}" for text, count in ((name, good), (f"{name} (in vain)", failed))
                  if count >= 0.05]
    return ", ".join(parts) or "none"


def _system_calls(results, size):
    rows = [[peer, _calls(figures["client"]), _calls(figures["server"])]
            for peer, figures in results.items() if "error" not in figures]
    if not rows:
        return []
    return [f"### System calls of one unary call of {size}, one at a time", "",
            "Traced by strace, which slows the spinning: those in vain are fewer than else.", "",
            *_table(["", "client", "server"], rows)]


def _machine(machine):
    return ["# nearcall and its peers", ""] + [f"- {key}: {value}" for key, value in machine.items()]


def markdown(report, cases, peers):
    lines = _machine(report["machine"]) + [""]
    lines += [f"- **{peer.name}**: {peer.what}" for peer in peers] + [
        "", "Medians of the rounds, which the peers take in turns; (smallest – largest). CPU time is "
        "of the process, for each call or message. The floor is raw-spin; for nearcall-park, and where "
        "many calls are in flight, raw-poll.", ""]
    for case in cases:
        if report["cases"].get(case.name):
            lines += _case(case, report["cases"][case.name])
    lines += _standing(report["standing"])
    lines += _system_calls(report["standing"].get("system-calls", {}), "64 B")
    lines += _system_calls(report["standing"].get("system-calls-1MiB", {}), "1 MiB")
    return "\n".join(lines)

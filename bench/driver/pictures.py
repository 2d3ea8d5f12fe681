# SPDX-License-Identifier: Apache-2.0
"""The README's pictures: curves on logarithmic axes, written as SVG."""
import math
import re
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = {"nearcall": "#d1242f", "nearcall-park": "#e8888f", "grpc++-sync": "#0969da",
           "grpc++-callback": "#54aeff", "capnp": "#1a7f37", "dotnet": "#8250df",
           "raw-spin": "#6e7781", "raw-poll": "#afb8c1"}
DASHED = {"nearcall-park", "grpc++-callback", "raw-spin", "raw-poll"}


class Axis:
    """A logarithmic axis from pixel `start` to pixel `end`."""

    def __init__(self, values, start, end):
        self._low = math.log10(min(values))
        self._span = math.log10(max(values)) - self._low or 1
        self._start, self._end = start, end

    def at(self, value):
        part = (math.log10(value) - self._low) / self._span
        return self._start + part * (self._end - self._start)


def _decades(values):
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0 ** power for power in range(low, high + 1)]


def _short(value):
    for limit, unit in ((1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def _text(x, y, text, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _grid(x_axis, y_axis, x_labels, y_ticks):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in y_ticks:
        yield _line(LEFT, y_axis.at(value), right, y_axis.at(value), "#d0d7de")
        yield _text(LEFT - 8, y_axis.at(value) + 4, _short(value), "end")
    for value, label in x_labels:
        yield _line(x_axis.at(value), bottom, x_axis.at(value), bottom + 4, "#57606a")
        yield _text(x_axis.at(value), bottom + 18, label)
    yield _line(LEFT, bottom, right, bottom, "#57606a")


def _curve(name, points, x_axis, y_axis):
    places = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in points)
    colour = COLOURS[name]
    dash = ' stroke-dasharray="5 4"' if name in DASHED else ""
    yield f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    for x, y in points:
        yield f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="3" fill="{colour}"/>'


def _legend(curves, y_axis):
    """Names beside the curves' ends, moved apart where they would overlap."""
    last = -math.inf
    for name, points in sorted(curves.items(), key=lambda item: y_axis.at(item[1][-1][1])):
        last = max(y_axis.at(points[-1][1]) + 4, last + 15)
        yield _text(WIDTH - RIGHT + 10, last, name, "start", f'fill="{COLOURS[name]}"')


def chart(title, x_title, x_labels, curves):
    """`curves`: {peer: [(x, y), …]}; `x_labels`: [(x, text), …]."""
    y_ticks = _decades([y for points in curves.values() for _, y in points])
    x_axis = Axis([x for x, _ in x_labels], LEFT + 10, WIDTH - RIGHT - 10)
    y_axis = Axis(y_ticks, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#24292f">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 22, title, "start", 'font-size="14" font-weight="bold"'),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title),
        *_grid(x_axis, y_axis, x_labels, y_ticks)]
    for name, points in curves.items():
        parts += _curve(name, points, x_axis, y_axis)
    parts += _legend(curves, y_axis)
    return "\n".join(parts + ["</svg>", ""])


def _curves(report, prefix, figure):
    """{peer: [(number in the case's name, figure), …]} of the cases called PREFIX-NUMBER."""
    curves = {}
    for case, results in report["cases"].items():
        found = re.fullmatch(prefix + r"-(\d+)", case)
        for peer, figures in results.items():
            if found and peer in COLOURS and figures.get(figure):
                curves.setdefault(peer, []).append((int(found[1]), figures[figure]))
    return {peer: sorted(points) for peer, points in curves.items()}


def _bytes(size):
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if size >= unit:
            return f"{size // unit}{name}"
    return str(size)


def draw(report, folder):
    """What was measured, and nothing else: a picture whose cases are missing is not drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = (
        ("latency.svg", "unary", "p50_us", "Unary call, one at a time: p50 in µs",
         "bytes of the payload, there and back", _bytes),
        ("in-flight.svg", "inflight", "per_second", "Unary calls of 64 B on one connection: calls/s",
         "calls in flight", str),
    )
    for file, prefix, figure, title, x_title, label in pictures:
        curves = _curves(report, prefix, figure)
        # A payload of 0 bytes has no place on a logarithmic axis.
        curves = {peer: [point for point in points if point[0] > 0]
                  for peer, points in curves.items()}
        numbers = sorted({x for points in curves.values() for x, _ in points})
        if len(numbers) > 1:
            labels = [(number, label(number)) for number in numbers]
            (folder / file).write_text(chart(title, x_title, labels, curves), encoding="utf-8")
            print(f"Drawn: {folder / file}")

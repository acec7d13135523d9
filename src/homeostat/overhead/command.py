"""The command `homeostat overhead`: measures, prints a table, writes JSON if asked. It has no figures of its own."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from homeostat.overhead.application import framework
from homeostat.overhead.measurement import Report, Row, Scale, measure
from homeostat.overhead.sink import running_sink

_BAR = "-"


def overhead(*, endpoint: str | None, scale: Scale, json_path: Path | None, say: Callable[[str], object]) -> Report:
    """Measure what telemetry costs on this machine.

    Args:
        endpoint: where OTLP/HTTP goes; a receiver that keeps nothing is started if there is none.
        scale: how much is measured.
        json_path: file for the figures, None for no file.
        say: prints a line.
    """
    with _receiver(endpoint) as address:
        say(f"exporting to {address}" + ("" if endpoint else ", a receiver that keeps nothing"))
        report = measure(endpoint=address, framework=framework(), scale=scale, say=lambda line: say(f"... {line}"))
    for line in table(report):
        say(line)
    if json_path is not None:
        json_path.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
        say(f"written to {json_path}")
    return report


@contextmanager
def _receiver(endpoint: str | None) -> Iterator[str]:
    if endpoint is not None:
        yield endpoint.rstrip("/")
        return
    with running_sink() as address:
        yield address


def table(report: Report) -> list[str]:
    """Return a report as lines for a person."""
    kind = "FastAPI" if report.framework == "fastapi" else "ASGI"
    lines = _part(f"CPU for one {kind} request, as fast as they are answered", report.requests)
    lines += _part("CPU for one request at 100 a second", report.paced, with_share=True)
    lines += _part("CPU for one span with two attributes, made and ended", report.spans)
    lines += ["", "In a new process"]
    lines += [
        f"  {name:<24} {seconds * 1_000:>8.0f} ms {kib / 1_024:>8.1f} MiB"
        for name, (seconds, kib) in report.imports.items()
    ]
    return lines


def _part(title: str, rows: Sequence[Row], *, with_share: bool = False) -> list[str]:
    if not rows:
        return []
    return ["", title, *(_line(row, with_share=with_share) for row in rows)]


def _line(row: Row, *, with_share: bool) -> str:
    added = _BAR if row.added_us is None else f"{row.added_us:+.1f} us"
    ratio = _BAR if row.ratio is None else f"{row.ratio:.2f} x"
    share = f" {row.cpu_share:>8.2%} of a CPU" if with_share else ""
    lost = f"  {row.lost} spans lost" if row.lost else ""
    return f"  {row.name:<24} {row.cpu_us:>8.1f} us {added:>12} {ratio:>9}{share}{lost}"

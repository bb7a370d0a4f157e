"""The tables that are printed at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Row = tuple[str, Callable[[Any], float | None], str]

_WRITE_ROWS: tuple[Row, ...] = (
    ("samples/s", lambda r: r["samples_per_s"], ",.0f"),
    ("CPU-s per million samples, merges included", lambda r: r["cpu_s_per_million"], ".3f"),
    ("CPU of a new series, µs", lambda r: r["new_series_us"], ".1f"),
    ("peak resident memory, MiB", lambda r: r["peak_mib"], ",.0f"),
    ("anonymous memory at the end, MiB", lambda r: r["anonymous_mib"], ",.0f"),
    ("request, median ms", lambda r: r["latency_median_ms"], ".1f"),
    ("request, 99th percentile ms", lambda r: r["latency_p99_ms"], ".1f"),
    ("requests put off", lambda r: r["put_off"], ",.0f"),
    ("samples refused", lambda r: r["refused"], ",.0f"),
)
_DISK_ROWS: tuple[Row, ...] = (
    ("bytes per sample, merged", lambda r: r["merged_per_sample"], ".3f"),
    ("bytes per sample, folder after a clean stop", lambda r: r["total_per_sample"], ".3f"),
    ("the same without the journal", lambda r: r["without_journal_per_sample"], ".3f"),
)
_QUERY_ROWS: tuple[Row, ...] = (
    ("median instant query, ms", lambda r: r["median_instant_ms"], ".1f"),
    ("median range query, ms", lambda r: r["median_range_ms"], ".1f"),
    ("slowest query, ms", lambda r: r["slowest_ms"], ".1f"),
    ("server CPU of the 12 range queries, ms", lambda r: r["range_cpu_ms"], ",.0f"),
    ("questions answered", lambda r: r["answered"], ",.0f"),
    ("answers that differ", lambda r: r["differing"], ",.0f"),
)


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None or math.isnan(value) else format(value, form)


def _ratio(mine: float | None, other: float | None) -> str:
    if mine is None or other is None or not other or math.isnan(mine) or math.isnan(other):
        return ""
    return f"{mine / other:.2f}×"


def _table(title: str, names: Sequence[str], rows: Sequence[Row], found: Mapping[str, Any]) -> Table:
    """A column a system, then the first system's figure divided by each of the others'."""
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for name in names[1:]:
        table.add_column(f"÷ {name}", justify="right", style="dim")
    for label, pick, form in rows:
        values = [pick(found[name]) if name in found else None for name in names]
        ratios = [_ratio(values[0], value) for value in values[1:]]
        table.add_row(label, *(_shown(value, form) for value in values), *ratios)
    return table


def _query_table(names: Sequence[str], found: Mapping[str, Any]) -> Table:
    by_system = {name: found[name]["queries"] for name in names if name in found}
    table = Table(title="Each question, median ms (server CPU ms)", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    table.add_column("series", justify="right")
    for name in by_system:
        table.add_column(name, justify="right")
    table.add_column("differs")
    for answers in zip(*by_system.values(), strict=True):
        shown = [
            f"{_shown(a['median_ms'], '.1f')} ({a['cpu_s'] / max(1, len(a['times_ms'])) * 1e3:.0f})" for a in answers
        ]
        problems = [f"{n}: {a['problem']}" for n, a in zip(by_system, answers, strict=True) if a["problem"]]
        first = answers[0]
        table.add_row(f"{first['name']}, {first['kind']}", str(first["n_series"]), *shown, "; ".join(problems))
    return table


# Figure, key, form.
_OTLP_ROWS: tuple[tuple[str, str, str], ...] = (
    ("{0}/s", "records_per_s", ",.0f"),
    ("CPU-s per million {0}, merges included", "cpu_s_per_million", ".2f"),
    ("bytes on disk for one of the {0}, after a clean stop", "bytes_per_record", ".1f"),
    ("the same, merged", "merged_bytes_per_record", ".1f"),
    ("peak resident memory, MiB", "peak_mib", ",.0f"),
    ("anonymous memory at the end, MiB", "anonymous_mib", ",.0f"),
    ("request, median ms", "latency_median_ms", ".1f"),
    ("requests put off", "put_off", ",.0f"),
    ("{0} refused", "refused", ",.0f"),
)
_BOUNDS = {
    "lines": {"cpu_s_per_million": "6", "merged_bytes_per_record": "70", "peak_mib": "1,536", "refused": "0"},
    "spans": {"cpu_s_per_million": "12", "merged_bytes_per_record": "100", "refused": "0"},
}


def _otlp_table(records: str, found: Mapping[str, Any]) -> Table:
    """What a load of `records` (lines, spans) over OTLP cost, and what the questions did."""
    table = Table(title=f"OTLP, {found['records']:,} {records}", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    table.add_column("swarmscope", justify="right")
    table.add_column("bound", justify="right", style="dim")
    for label, key, form in _OTLP_ROWS:
        table.add_row(label.format(records), _shown(found[key], form), _BOUNDS[records].get(key, ""))
    for question in found["questions"]:
        shown = question["problem"] or f"{_shown(question['median_ms'], '.1f')} ({question['cpu_ms']:.0f})"
        table.add_row(f"{question['name']}, median ms (CPU ms)", shown, f"{question['bound_ms']:.0f}")
    return table


def print_report(results: dict[str, Any], console: Console) -> None:
    """All tables of a result, as it also stands in the JSON file."""
    names = list(results["systems"])
    for name, why in results["skipped"].items():
        console.print(f"skipped {name}: {why}", style="yellow")
    for title, found in results["writes"].items():
        console.print(_table(f"Remote write, {title}", names, _WRITE_ROWS, found))
        for name, result in found.items():
            for error in result["errors"]:
                console.print(f"{name}: {error}", style="red", markup=False)
    if results["disk"]:
        console.print(_table("On disk", names, _DISK_ROWS, results["disk"]))
    if results["queries"]:
        console.print(_table("Queries over HTTP", names, _QUERY_ROWS, results["queries"]))
        console.print(_query_table(names, results["queries"]))
    for records, key in (("lines", "logs"), ("spans", "spans")):
        if results[key]:
            console.print(_otlp_table(records, results[key]))
            for error in results[key]["errors"]:
                console.print(f"{records}: {error}", style="red", markup=False)

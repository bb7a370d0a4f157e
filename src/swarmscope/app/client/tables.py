"""Answers as a table for the eye and as CSV for other programs."""

from __future__ import annotations

import csv
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swarmscope.app.client.answers import Answer, spell_time


def print_table(answer: Answer, console: Console) -> None:
    """Print a row for each point, under one heading a series for a range."""
    if not answer.series:
        console.print(Text("no data", style="dim"))
        return
    if answer.kind in ("scalar", "string"):
        console.print(Text(answer.series[0].points[0][1]))
        return
    if answer.kind == "vector":
        table = Table("series", box=SIMPLE_HEAD)
        table.add_column("value", justify="right")
        for series in answer.series:
            table.add_row(Text(series.name), Text(series.points[0][1]))
        console.print(table)
        return
    for series in answer.series:
        console.print(Text(series.name, style="bold"), soft_wrap=True)
        table = Table("time", box=SIMPLE_HEAD)
        table.add_column("value", justify="right")
        for when, value in series.points:
            table.add_row(spell_time(when), Text(value))
        console.print(table)


def write_csv(answer: Answer, stream: TextIO) -> None:
    """A column for each label, then `timestamp` (Unix seconds) and `value`; RFC 4180 but for plain line ends."""
    names = sorted({label for series in answer.series for label in series.labels})
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*names, "timestamp", "value"])
    for series in answer.series:
        labels = [series.labels.get(name, "") for name in names]
        for when, value in series.points:
            writer.writerow([*labels, f"{when:.3f}".rstrip("0").rstrip("."), value])

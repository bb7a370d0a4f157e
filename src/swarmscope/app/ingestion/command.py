"""`swarmscope ingest logs`: reads, sends, remembers where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.text import Text

from swarmscope.app.ingestion.line_blocks import LineBlock, read_blocks
from swarmscope.app.ingestion.line_times import LineFormat, guess_format, times_of
from swarmscope.app.ingestion.positions import FileIdentity, Positions, state_folder
from swarmscope.app.ingestion.push_body import label_text, push_body
from swarmscope.app.ingestion.shipping import IngestProblem, Shipper, Target
from swarmscope.app.ingestion.sources import STANDARD_INPUT, decompressed, open_source

EXIT_FAILED, EXIT_MISUSED = 1, 2
_POLL_S = 0.25
_SKIP_BYTES = 1 << 20

__all__ = ["IngestOptions", "Target", "read_labels", "run_ingest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How to read."""

    form: str = "auto"
    labels: Mapping[str, str]
    is_following: bool = False
    is_multiline: bool = False
    is_from_start: bool = False
    state: Path | None = None


def read_labels(texts: Sequence[str], service: str | None) -> dict[str, str]:
    """`name=value` texts as labels. Raises typer.BadParameter."""
    labels = {"service_name": service} if service else {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier() or not value:
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint="--label")
        labels[name] = value
    return labels


def run_ingest(files: Sequence[str], options: IngestOptions, target: Target) -> int:
    """Send all files; the exit code is 0, 1 when something could not be sent, 2 when it was asked wrongly."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        form = LineFormat(options.form)
    except ValueError:
        console.print(Text(f"--format is one of {', '.join(LineFormat)}", style="red"))
        return EXIT_MISUSED
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TextColumn("{task.fields[lines]:,} lines, {task.fields[rate]:,} a second"), TimeElapsedColumn(),
    )  # fmt: skip
    began_s = time.monotonic()
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

            def note(words: str) -> None:
                progress.console.print(Text(words, style="yellow"))

            with Shipper(target, note) as shipper:
                run = _Run(options, form, target.push_url, shipper, progress)
                run.read_all(files)
    except (IngestProblem, OSError) as problem:
        console.print(Text(str(problem), style="red"))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    took_s = max(time.monotonic() - began_s, 1e-9)
    rate = f"{run.lines / took_s:,.0f} a second"
    console.print(Text(f"{run.lines:,} lines, {run.bytes:,} bytes sent in {took_s:.1f} s ({rate})"))
    return 0


class _Reading:
    """One file that is being read, and what of it is durable."""

    def __init__(self, name: str, source: BinaryIO, compression: str | None) -> None:
        self.name = name
        self.source = source
        self.stream = source if compression is None else decompressed(source, compression)
        self.is_compressed = compression is not None
        self.is_file = name != STANDARD_INPUT and os.path.isfile(name)
        self.identity = FileIdentity.of(os.fstat(source.fileno())) if self.is_file else None
        self.offset = 0
        self.form: LineFormat | None = None

    def skip_to(self, offset: int) -> None:
        """Go on there."""
        if not self.is_compressed:
            self.stream.seek(offset)
        else:
            left = offset
            while left > 0 and (piece := self.stream.read(min(left, _SKIP_BYTES))):
                left -= len(piece)
        self.offset = offset


class _Run:
    """One run of the command."""

    def __init__(
        self, options: IngestOptions, form: LineFormat, target: str, shipper: Shipper, progress: Progress
    ) -> None:
        self._options = options
        self._form = form
        self._target = target
        self._shipper = shipper
        self._progress = progress
        self._positions = Positions(options.state or state_folder())
        self._began_s = time.monotonic()
        self.lines = self.bytes = 0

    def read_all(self, files: Sequence[str]) -> None:
        """Read every file to its end, and go on with all of them where that is asked for."""
        readings = [self._open(name) for name in files]
        bars = [self._bar(reading) for reading in readings]
        for reading, bar in zip(readings, bars, strict=True):
            self._read(reading, bar, is_last=not self._options.is_following or not self._can_grow(reading))
        if not self._options.is_following:
            return
        while any(self._can_grow(reading) for reading in readings):
            for at, reading in enumerate(readings):
                if self._can_grow(reading):
                    readings[at] = self._go_on(reading, bars[at])
            self._shipper.finish()
            time.sleep(_POLL_S)

    @staticmethod
    def _can_grow(reading: _Reading) -> bool:
        return reading.is_file and not reading.is_compressed

    def _bar(self, reading: _Reading) -> Callable[[LineBlock], None]:
        size = os.fstat(reading.source.fileno()).st_size if self._can_grow(reading) else None
        task = self._progress.add_task(reading.name, total=size, completed=reading.offset, lines=0, rate=0)
        counted = 0

        def advance(block: LineBlock) -> None:
            nonlocal counted
            counted += len(block.line)
            rate = round(counted / max(time.monotonic() - self._began_s, 1e-9))
            self._progress.update(task, completed=block.end_offset, lines=counted, rate=rate)

        return advance

    def _open(self, name: str) -> _Reading:
        reading = _Reading(name, *open_source(name))
        if reading.identity is not None and not self._options.is_from_start:
            offset = self._positions.load(reading.source, reading.identity, self._target)
            size = os.fstat(reading.source.fileno()).st_size
            reading.skip_to(offset if reading.is_compressed or offset <= size else 0)
        return reading

    def _go_on(self, reading: _Reading, bar: Callable[[LineBlock], None]) -> _Reading:
        """What was appended; the new file where the old one was moved away or made anew."""
        self._read(reading, bar, is_last=False)
        try:
            status = os.stat(reading.name)
        except OSError:
            return reading  # moved away, and its successor is not there yet
        if FileIdentity.of(status) != reading.identity:
            self._read(reading, bar, is_last=True)
            self._shipper.finish()
            reading.source.close()
            fresh = self._open(reading.name)
            self._read(fresh, bar, is_last=False)
            return fresh
        if status.st_size < reading.offset:
            reading.skip_to(0)
        return reading

    def _read(self, reading: _Reading, bar: Callable[[LineBlock], None], *, is_last: bool) -> None:
        """From where it stands to the end."""
        # Where a line without an end was left, it is read again with what was appended to it.
        if self._can_grow(reading):
            reading.stream.seek(reading.offset)
        joins = self._options.is_multiline
        for block in read_blocks(reading.stream, reading.offset, joins=joins, is_last=is_last):
            reading.offset = block.end_offset
            if len(block.line):
                self._ship(reading, block)
            bar(block)

    def _ship(self, reading: _Reading, block: LineBlock) -> None:
        if reading.form is None:
            reading.form = guess_format(block.line) if self._form is LineFormat.AUTO else self._form
        labels = dict(self._options.labels)
        if reading.name != STANDARD_INPUT:
            labels.setdefault("filename", str(Path(reading.name).absolute()))
        elif not labels:
            labels["source"] = "stdin"
        self.lines += len(block.line)
        self.bytes += int(block.line.length.sum())
        make = partial(_body, label_text(labels), reading.form, block, time.time_ns())
        self._shipper.send(make, partial(self._remember, reading, block.end_offset))

    def _remember(self, reading: _Reading, offset: int) -> None:
        if reading.identity is not None:
            self._positions.save(reading.source, reading.identity, self._target, offset)


def _body(labels: str, form: LineFormat, block: LineBlock, now_ns: int) -> bytes:
    return push_body(labels, times_of(block.line, form, now_ns), block.line)

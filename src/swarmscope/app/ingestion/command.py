"""`swarmscope ingest logs`: reads, sends, remembers where it stopped."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from swarmscope.app.ingestion.line_blocks import LineBlock
from swarmscope.app.ingestion.line_times import LineFormat, guess_format, times_of
from swarmscope.app.ingestion.positions import FileIdentity, Positions, state_folder
from swarmscope.app.ingestion.push_body import label_text, push_body
from swarmscope.app.ingestion.reading import Reading, moved_away
from swarmscope.app.ingestion.shipping import PATIENCE_S, IngestProblem, Shipper, Target
from swarmscope.app.ingestion.sources import STANDARD_INPUT
from swarmscope.app.ingestion.syslog import priorities_of
from swarmscope.model.labels import Utf8Column

EXIT_FAILED, EXIT_MISUSED, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143
_POLL_S = 0.25

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


class _Terminated(BaseException):
    """SIGTERM has come."""


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_ingest(files: Sequence[str], options: IngestOptions, target: Target) -> int:
    """Send all files.

    The exit code is 0; 1 when something could not be read or sent or was refused; 2 when it was asked wrongly; 130
    after Ctrl-C and 143 after SIGTERM, but 0 where following had no other end.
    """
    console = Console(stderr=True, soft_wrap=True)
    if options.form not in set(LineFormat):
        console.print(Text(f"--format is one of {', '.join(LineFormat)}", style="red"))
        return EXIT_MISUSED
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TextColumn("{task.fields[lines]:,} lines, {task.fields[rate]:,} a second"), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    code = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def note(words: str) -> None:
            progress.console.print(Text(words, style="yellow"))

        shipper = Shipper(target, note, math.inf if options.is_following else PATIENCE_S)
        run = _Run(options, target, shipper, progress)
        try:
            with _ending_on_sigterm(), shipper:
                run.read_all(files)
        except (IngestProblem, OSError) as problem:
            progress.console.print(Text(str(problem), style="red"))
            code = EXIT_FAILED
        except KeyboardInterrupt:
            code = 0 if options.is_following else EXIT_INTERRUPTED
        except _Terminated:
            code = 0 if options.is_following else EXIT_TERMINATED
    run.summarise(console)
    return code or (EXIT_FAILED if run.has_failed or shipper.refusals.total else 0)


class _Lines:
    """A block's lines with all that a request says of them."""

    def __init__(self, labels: str, times_ns: NDArray[np.int64], line: Utf8Column, form: LineFormat) -> None:
        self._labels = labels
        self._times_ns = times_ns
        self._line = line
        self._form = form

    def __len__(self) -> int:
        return len(self._line)

    def body(self, first: int, end: int) -> bytes:
        """Loki's push request of these rows."""
        line = Utf8Column(self._line.buffer, self._line.start[first:end], self._line.length[first:end])
        has_priorities = self._form is LineFormat.SYSLOG
        priority = priorities_of(line) if has_priorities else np.empty(0, np.int64)
        return push_body(self._labels, self._times_ns[first:end], line, priority)


class _Run:
    """One run of the command."""

    def __init__(self, options: IngestOptions, target: Target, shipper: Shipper, progress: Progress) -> None:
        self._options = options
        self._shipper = shipper
        self._progress = progress
        self._positions = Positions(options.state or state_folder(), f"{target.push_url} {target.tenant or ''}".strip())
        self._began_s = time.monotonic()
        self._missing: set[str] = set()
        self._is_forgetful = False
        self._bars: dict[str, Callable[[int, LineBlock], None]] = {}
        self._sent_lines = self._sent_bytes = 0
        self.has_failed = False

    def summarise(self, console: Console) -> None:
        """What was sent, and what the server did not want."""
        took_s = max(time.monotonic() - self._began_s, 1e-9)
        refused = self._shipper.refusals
        console.print(
            Text(
                f"{self._sent_lines - refused.total:,} lines sent, of {self._sent_bytes:,} bytes read, "
                f"in {took_s:.1f} s ({self._sent_lines / took_s:,.0f} a second)"
            )
        )
        for reason, count in refused.reasons():
            console.print(Text(f"{count:,} lines refused: {reason}", style="red"))

    def read_all(self, files: Sequence[str]) -> None:
        """Read every file to its end, and go on with all of them where that is asked for."""
        readings: list[Reading] = []
        for name in dict.fromkeys(files):
            self._read_rest(name)
            reading = self._open(name)
            if reading is None:
                continue
            if reading.identity is not None and reading.identity in {each.identity for each in readings}:
                self._note(f"{name} is the same file as another one and is read once")
                continue
            if self._options.is_following and reading.can_grow:
                readings.append(reading)
                self._read(reading, is_last=False)
            else:
                self._read(reading, is_last=True)
                readings.append(reading)
        self._shipper.finish()
        while self._options.is_following and (self._missing or any(each.can_grow for each in readings)):
            time.sleep(_POLL_S)
            readings = [each for reading in readings if reading.can_grow and (each := self._go_on(reading))]
            for name in sorted(self._missing):
                if os.path.exists(name) and (fresh := self._open(name)):
                    readings.append(fresh)
                    self._read(fresh, is_last=False)
            self._shipper.finish()

    def _note(self, words: str) -> None:
        self._progress.console.print(Text(words, style="yellow"))

    def _open(self, name: str) -> Reading | None:
        """None where that is not possible, which is told once."""
        is_known = name in self._missing
        try:
            reading = Reading(name, self._positions, is_from_start=self._options.is_from_start and not is_known)
        except OSError as error:
            if not is_known:
                waits = self._options.is_following and isinstance(error, FileNotFoundError)
                self._note(f"{name}: {error.strerror or error}" + ("; waiting for it" if waits else ""))
                self.has_failed = self.has_failed or not waits
                if waits:
                    self._missing.add(name)
            return None
        self._missing.discard(name)
        return reading

    def _read_rest(self, name: str) -> None:
        """What the last run left of a file that was rotated since."""
        if name == STANDARD_INPUT or self._options.is_from_start:
            return
        if (path := moved_away(name, self._positions)) is not None:
            self._note(f"{name} was moved to {path}, whose rest is read first")
            rest = Reading(name, self._positions, path=path)
            self._read(rest, is_last=True)

    def _go_on(self, reading: Reading) -> Reading | None:
        """What was appended; the new file where the old one was moved away or made anew."""
        reading.restart_if_truncated()
        if reading.has_news:
            self._read(reading, is_last=False)
        try:
            status = os.stat(reading.name)
        except OSError:
            return reading  # moved away, and its successor is not there yet
        if FileIdentity.of(status) == reading.identity:
            return reading
        self._read(reading, is_last=True)
        self._shipper.finish()
        reading.close()
        self._missing.add(reading.name)
        fresh = self._open(reading.name)
        if fresh is not None:
            self._read(fresh, is_last=False)
        return fresh

    def _read(self, reading: Reading, *, is_last: bool) -> None:
        """From where it stands to the end; a file that cannot be read further is told, and others go on."""
        bar = self._bars.get(reading.name) or self._bars.setdefault(reading.name, self._bar(reading))
        begin = reading.offset
        blocks = reading.blocks(joins=self._options.is_multiline, is_last=is_last)
        while True:
            try:
                block, now_ns = next(blocks)
            except StopIteration:
                return
            except OSError as error:
                self._note(f"{reading.name}: {error.strerror or error}")
                self.has_failed = True
                return
            if len(block.line):
                self._ship(reading, block, now_ns)
            self._sent_bytes += block.end_offset - begin
            begin = block.end_offset
            bar(reading.size or 0, block)

    def _bar(self, reading: Reading) -> Callable[[int, LineBlock], None]:
        task = self._progress.add_task(reading.name, total=reading.size, completed=reading.offset, lines=0, rate=0)
        counted = 0

        def advance(size: int, block: LineBlock) -> None:
            nonlocal counted
            counted += len(block.line)
            rate = round(counted / max(time.monotonic() - self._began_s, 1e-9))
            end = block.end_offset
            self._progress.update(task, completed=end, total=max(size, end) or None, lines=counted, rate=rate)

        return advance

    def _ship(self, reading: Reading, block: LineBlock, now_ns: int) -> None:
        wanted = LineFormat(self._options.form)
        if wanted is not LineFormat.AUTO:
            reading.form = wanted
        elif reading.form is None:
            reading.form = guess_format(block.line)
        labels = dict(self._options.labels)
        if reading.name != STANDARD_INPUT:
            labels.setdefault("filename", os.path.abspath(reading.name))
        elif not labels:
            labels["source"] = "stdin"
        times_ns = times_of(block.line, reading.form, now_ns)
        reading.order.fill(times_ns, now_ns)
        self._remembering(lambda: reading.note_under_way(block, now_ns))
        lines = _Lines(label_text(labels), times_ns, block.line, reading.form)
        self._shipper.send(lines, lambda: self._arrived(reading, len(lines)))

    def _arrived(self, reading: Reading, lines: int) -> None:
        self._sent_lines += lines
        self._remembering(reading.note_durable)

    def _remembering(self, save: Callable[[], None]) -> None:
        """Where positions cannot be kept, lines go all the same."""
        try:
            save()
        except OSError as error:
            if not self._is_forgetful:
                self._is_forgetful = True
                self._note(f"positions are not remembered, another run will send all lines again: {error}")

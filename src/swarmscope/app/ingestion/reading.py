"""One file that is being read, and how much of it is durable."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from swarmscope.app.ingestion.line_blocks import LineBlock, Readable, block_of, read_blocks
from swarmscope.app.ingestion.line_times import LineFormat
from swarmscope.app.ingestion.positions import FileIdentity, Position, Positions
from swarmscope.app.ingestion.sources import STANDARD_INPUT, decompressed, open_pipe, open_source
from swarmscope.app.ingestion.time_order import TimeOrder

_SKIP_BYTES = 1 << 20
_HEAD_BYTES = 1024
# A stack trace is written at once: after this nothing more belongs to the last line.
_SETTLED_S = 1.0


class Reading:
    """A file (or the standard input) from where the last run stopped."""

    def __init__(
        self, name: str, positions: Positions, *, is_from_start: bool = False, path: Path | None = None
    ) -> None:
        """`path`: where the file `name` lies now. Raises OSError."""
        self.name = name
        self.offset = 0
        self.form: LineFormat | None = None
        self.order = TimeOrder()
        self.identity: FileIdentity | None = None
        self.can_grow = False
        self._positions = positions
        self._durable = Position(path=os.path.abspath(name))
        self._under_way: deque[tuple[int, int, list[int]]] = deque()
        self._again: deque[tuple[int, int]] = deque()
        self._seen_bytes, self._changed_s = -1, time.monotonic()
        self._head = b""
        self.source: BinaryIO | None = None
        if name == STANDARD_INPUT:
            self.stream: Readable = open_pipe()
            return
        self.source, compression = open_source(path or Path(name))
        self.stream = self.source if compression is None else decompressed(self.source, compression)
        self.identity = FileIdentity.of(os.fstat(self.source.fileno()))
        self.is_compressed = compression is not None
        self.can_grow = not self.is_compressed and os.path.isfile(path or name)
        if not is_from_start:
            self._resume(self.source, self.identity)

    def _resume(self, source: BinaryIO, identity: FileIdentity) -> None:
        position = self._positions.load(source, identity)
        size = self.size
        if position is None or (size is not None and position.offset > size):
            return
        self._durable = position
        self.form = LineFormat(position.form) if position.form in set(LineFormat) else None
        self.order = TimeOrder(position.times, time.time_ns())
        self._again.extend(position.under_way)
        self._go_to(position.offset)

    @property
    def size(self) -> int | None:
        """Bytes of a plain file."""
        return os.fstat(self.source.fileno()).st_size if self.source and self.can_grow else None

    @property
    def has_news(self) -> bool:
        """Whether reading on may give something: it has grown, or a line that was held back is complete by now."""
        size = self.size
        if size != self._seen_bytes:
            self._seen_bytes, self._changed_s = size or 0, time.monotonic()
            return True
        return bool(size and size > self.offset and self._is_settled)

    @property
    def _is_settled(self) -> bool:
        return time.monotonic() - self._changed_s > _SETTLED_S

    def restart_if_truncated(self) -> None:
        """Begin anew where the file is shorter than what was read of it, or begins with something else."""
        if self.source is None or not self.can_grow:
            return
        head = os.pread(self.source.fileno(), _HEAD_BYTES, 0)
        if (self.size or 0) < self.offset or not head.startswith(self._head[: self.offset]):
            self._again.clear()
            self.order = TimeOrder()
            self._durable = Position(path=self._durable.path)
            self._go_to(0)
        self._head = head

    def _go_to(self, offset: int) -> None:
        if self.can_grow and self.source:
            self.source.seek(offset)
        else:
            left = offset
            while left > 0 and (piece := self.stream.read(min(left, _SKIP_BYTES))):
                left -= len(piece)
        self.offset = offset

    def blocks(self, *, joins: bool, is_last: bool) -> Iterator[tuple[LineBlock, int]]:
        """What there is, and when it was read. The caller hands each one on before it asks for the next."""
        while self._again:
            end, now_ns = self._again.popleft()
            if self.can_grow and self.source:
                self.source.seek(self.offset)
            data = _read_all(self.stream, end - self.offset)
            if len(data) < end - self.offset:  # it was truncated in the meantime
                self._again.clear()
            if data:
                yield self._passed(block_of(data, self.offset + len(data), joins=joins), now_ns)
        # Where a line without an end was left, it is read again with what was appended to it.
        if self.can_grow and self.source:
            self.source.seek(self.offset)
        holds_back = not is_last and not self._is_settled
        for block in read_blocks(self.stream, self.offset, joins=joins, is_last=is_last, holds_back=holds_back):
            yield self._passed(block, time.time_ns())

    def _passed(self, block: LineBlock, now_ns: int) -> tuple[LineBlock, int]:
        self.offset = block.end_offset
        return block, now_ns

    def note_under_way(self, block: LineBlock, now_ns: int) -> None:
        """The block goes out now. Raises OSError where that cannot be remembered."""
        self._under_way.append((block.end_offset, now_ns, self.order.state))
        self._save()

    def note_durable(self) -> None:
        """The oldest block that was under way has come in. Raises OSError."""
        end, _, times = self._under_way.popleft()
        self._durable = Position(end, self._durable.path, times=times)
        self._save()

    def _save(self) -> None:
        if self.source is None or self.identity is None:
            return
        held = self._durable
        under_way = [(end, now_ns) for end, now_ns, _ in self._under_way] + list(self._again)
        form = self.form.value if self.form else ""
        self._positions.save(self.source, self.identity, Position(held.offset, held.path, form, held.times, under_way))

    def close(self) -> None:
        """What was under way is still noted when it comes in, as long as nobody else closes the file."""
        if self.source is not None:
            self.source.close()


def _read_all(stream: Readable, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def moved_away(name: str, positions: Positions) -> Path | None:
    """Where the file lies now that was read as `name` and not to its end, before it was rotated; None for nowhere."""
    path = Path(os.path.abspath(name))
    try:
        current = FileIdentity.of(path.stat())
    except OSError:
        current = None
    for beside in sorted(path.parent.glob(f"{_escaped(path.name)}*")):
        try:
            with beside.open("rb") as source:
                status = os.fstat(source.fileno())
                identity = FileIdentity.of(status)
                position = positions.load(source, identity) if identity != current and beside.is_file() else None
        except OSError:
            continue
        if position is not None and position.path == str(path) and position.offset < status.st_size:
            return beside
    return None


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

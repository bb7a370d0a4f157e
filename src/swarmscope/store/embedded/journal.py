"""The journal: what has been acknowledged and is not yet in a ClickHouse part, in append-only segments.

A part costs ClickHouse some 5 ms of CPU however small it is, and senders wait for their answer before they send
more, so parts as small as what is in flight at a time would cost ten times the rest of the work
(docs/decisions/0002-journal-before-parts.md). A segment holds what goes into one insert of each table: it is removed
once those are done, and replayed at start when the process died before. A replay may insert
again what is in parts already: every table replaces rows of the same key by the newest, and readers do too, so each
row counts once.

A frame is `magic, length of the header, length of the body, CRC-32 of both`, a JSON header that lists the columns, and
the columns' bytes. A torn frame can only be the last one, and was never acknowledged. A frame that was damaged later is
told of, and its segment is kept in `damaged/`.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from swarmscope.store.embedded.native import AnyArray

_FRAME = struct.Struct("<4sIQI")
_MAGIC = b"SWJ1"
_DAMAGED_FOLDER = "damaged"
_SEGMENT = re.compile(r"(\d{16})\.journal")

Frame = dict[str, AnyArray]


def _encode_frame(columns: Mapping[str, AnyArray]) -> list[bytes | memoryview]:
    layout = [(name, column.dtype.str, len(column)) for name, column in columns.items()]
    header = orjson.dumps(layout)
    bodies = [np.ascontiguousarray(column).view(np.uint8).data for column in columns.values()]
    checksum = zlib.crc32(header)
    for body in bodies:
        checksum = zlib.crc32(body, checksum)
    length = sum(body.nbytes for body in bodies)
    return [_FRAME.pack(_MAGIC, len(header), length, checksum), header, *bodies]


def _decode_frame(header: bytes, body: bytes) -> Frame:
    frame: Frame = {}
    offset = 0
    for name, dtype, length in orjson.loads(header):
        column = np.frombuffer(body, np.dtype(dtype), length, offset)
        frame[name] = column
        offset += column.nbytes
    return frame


class Segment:
    """One journal file that is being written."""

    def __init__(self, path: Path, *, fsync: bool) -> None:
        """Create the file; with `fsync` every append survives a power loss."""
        self.path = path
        self.number = int(path.stem)
        self._fsync = fsync
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        self._good_length = 0
        self._is_torn = False
        if fsync:
            _sync_folder(path.parent)

    def append(self, columns: Mapping[str, AnyArray]) -> None:
        """Write one frame; when this returns the frame survives the death of the process.

        Raises OSError (disk full, say) after cutting off what was written of the frame.
        """
        buffers = _encode_frame(columns)
        length = sum(len(part) if isinstance(part, bytes) else part.nbytes for part in buffers)
        if self._is_torn:
            self._cut()
        try:
            self._write(buffers)
            if self._fsync:
                os.fdatasync(self._file)
        except OSError:
            # Behind torn bytes nothing would be read again: where they cannot be cut off now, the next append does.
            self._is_torn = True
            with contextlib.suppress(OSError):
                self._cut()
            raise
        self._good_length += length

    def _cut(self) -> None:
        os.ftruncate(self._file, self._good_length)
        self._is_torn = False

    def _write(self, buffers: list[bytes | memoryview]) -> None:
        pending = list(buffers)
        while pending:
            # IOV_MAX is 1024 on Linux.
            written = os.writev(self._file, pending[:1024])
            while pending and written >= memoryview(pending[0]).nbytes:
                written -= memoryview(pending[0]).nbytes
                pending.pop(0)
            if written:
                pending[0] = memoryview(pending[0])[written:]

    def close(self) -> None:
        """No more appends."""
        os.close(self._file)

    def remove(self) -> None:
        """Delete the file: everything in it is in parts."""
        self.path.unlink(missing_ok=True)


class Journal:
    """The folder of segments."""

    def __init__(self, folder: Path, *, fsync: bool, highest_used: Callable[[], int] = lambda: 0) -> None:
        """Use `folder`, made when missing. `highest_used` is asked where no counter tells the last number given out."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._fsync = fsync
        self._highest_used = highest_used
        self._next = max((int(path.stem) for path in self.leftover()), default=0) + 1
        self._counter_file = folder / "next"
        aside = max((int(path.stem) for path in self.damaged()), default=0)
        self._next = max(self._next, self._counted(), aside + 1)

    def _counted(self) -> int:
        """The number that was written down; a power loss may have left anything in the file."""
        text = self._counter_file.read_bytes() if self._counter_file.exists() else b""
        return int(text) if text.isdigit() else self._highest_used() + 1

    def damaged(self) -> list[Path]:
        """Segments that were set aside because of damage; they stay until somebody removes them."""
        aside = self._folder / _DAMAGED_FOLDER
        return sorted(path for path in aside.iterdir() if _SEGMENT.fullmatch(path.name)) if aside.is_dir() else []

    def set_aside(self, segment: Path) -> Path:
        """Move a damaged segment to where it is not replayed; returns its new path."""
        aside = self._folder / _DAMAGED_FOLDER
        aside.mkdir(exist_ok=True)
        return segment.rename(aside / segment.name)

    def leftover(self) -> list[Path]:
        """Segments that an earlier process left, oldest first."""
        return sorted(path for path in self._folder.iterdir() if _SEGMENT.fullmatch(path.name))

    def new_segment(self) -> Segment:
        """Start the next segment. Numbers are never used twice."""
        number = self._next
        self._next += 1
        _write_atomically(self._counter_file, str(self._next))
        return Segment(self._folder / f"{number:016d}.journal", fsync=self._fsync)


@dataclass(slots=True)
class SegmentContent:
    """What a segment holds: its whole frames in order, and how many bytes of acknowledged data cannot be read."""

    frames: list[Frame] = field(default_factory=list)
    damaged_bytes: int = 0


def read_segment(path: Path) -> SegmentContent:
    """The whole frames of a segment. A torn end is no damage: it was never acknowledged.

    Anything else that is no frame is damage; what follows it is read from the next whole frame on.
    """
    content = SegmentContent()
    data = memoryview(path.read_bytes())
    at = 0
    while at < len(data):
        end = _frame_end(data, at)
        if end is not None:
            try:
                content.frames.append(_frame_at(data, at))
            except (ValueError, TypeError):
                # Its checksum is right, and it says what no version of this program wrote.
                content.damaged_bytes += end - at
            at = end
            continue
        following = _next_frame(data, at + 1)
        if following is None and _is_torn(data, at):
            break
        content.damaged_bytes += (len(data) if following is None else following) - at
        at = len(data) if following is None else following
    return content


def _frame_end(data: memoryview, at: int) -> int | None:
    """Where the frame that begins at `at` ends, None where no whole frame begins there."""
    if len(data) - at < _FRAME.size:
        return None
    magic, header_length, body_length, checksum = _FRAME.unpack_from(data, at)
    end = at + _FRAME.size + header_length + body_length
    if magic != _MAGIC or end > len(data) or zlib.crc32(data[at + _FRAME.size : end]) != checksum:
        return None
    return int(end)


def _frame_at(data: memoryview, at: int) -> Frame:
    _, header_length, body_length, _ = _FRAME.unpack_from(data, at)
    body = at + _FRAME.size + header_length
    return _decode_frame(bytes(data[at + _FRAME.size : body]), bytes(data[body : body + body_length]))


def _next_frame(data: memoryview, at: int) -> int | None:
    """# Slow path: where the next whole frame begins."""
    for match in re.finditer(re.escape(_MAGIC), data[at:]):
        if _frame_end(data, at + match.start()) is not None:
            return at + match.start()
    return None


def _is_torn(data: memoryview, at: int) -> bool:
    """Whether what begins at `at` is a frame that was cut off while it was written."""
    rest = data[at : at + _FRAME.size]
    if len(rest) < _FRAME.size:
        return bytes(rest[: len(_MAGIC)]) == _MAGIC[: len(rest)]
    magic, header_length, body_length, _ = _FRAME.unpack(rest)
    return bool(magic == _MAGIC and at + _FRAME.size + header_length + body_length > len(data))


def _write_atomically(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

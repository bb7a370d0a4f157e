"""Compiling the kernels that lines and series pass on their way in."""

from __future__ import annotations

from swarmscope.ingest import levels, series_limits
from swarmscope.ingest.redaction.detectors import user_detector
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.model.labels import Utf8Column


def warm_up() -> None:
    """Compile, or load from the cache."""
    series_limits.warm_up()
    levels.warm_up()
    # A find in JSON, another beside its name, with buffers that may and that may not be written to.
    redactor = Redactor([user_detector("warm", "up")], {}, b"")
    for texts in (Utf8Column.from_strings(['{"a":"up"}']), _writable(['{"a":"up"}'])):
        redactor.redact(texts)
        redactor.redact(texts, texts)


def _writable(texts: list[str]) -> Utf8Column:
    column = Utf8Column.from_strings(texts)
    return Utf8Column(column.buffer.copy(), column.start, column.length)

"""The settled spans of the last minutes, for those who look for what goes wrong; bounded in number and age."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.labels import DEFAULT_TENANT, Utf8Column

_NOT_ROWS = {"conversation", "link_offsets", "link_key", "tenant"}
_ROW_COLUMNS = tuple(field.name for field in fields(AgentSpans) if field.name not in _NOT_ROWS)
_FIRST_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Recent:
    """Spans with the agents that they work for."""

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n]


class RecentSpans:
    """Spans of one tenant in the order in which they were settled; links are not kept. Not thread-safe.

    Rows are written behind one another into columns of twice the size, whose second half is moved to the front when
    they are full: so all that are recent are a slice, and a span is copied twice at most.
    """

    def __init__(self, max_spans: int, max_age_ns: int, tenant: str = DEFAULT_TENANT) -> None:
        self._max_spans, self._max_age_ns, self._tenant = max_spans, max_age_ns, tenant
        self._begin, self._end = 0, 0
        self._columns = _blank(min(_FIRST_ROWS, 2 * max_spans))
        self._texts = np.zeros(_FIRST_ROWS, np.uint8)
        self._n_text = 0

    def add(self, spans: AgentSpans, caller: NDArray[np.uint32], now_ns: int) -> None:
        """Keep these. What ended too long ago is not kept at all: it is history that somebody loads."""
        ended = np.where(spans.end_ns > 0, spans.end_ns, now_ns)
        rows = np.flatnonzero(ended > now_ns - self._max_age_ns)[-self._max_spans :]
        if not len(rows):
            return
        texts = spans.conversation.take(rows).compact()
        self._make_room(len(rows), len(texts.buffer))
        here = slice(self._end, self._end + len(rows))
        columns = self._columns
        for name in _ROW_COLUMNS:
            np.take(getattr(spans, name), rows, axis=0, out=columns[name][here])
        columns["caller"][here] = caller[rows]
        columns["settled_ns"][here] = now_ns
        columns["text_start"][here] = texts.start + self._n_text
        columns["text_length"][here] = texts.length
        self._texts[self._n_text : self._n_text + len(texts.buffer)] = texts.buffer
        self._n_text += len(texts.buffer)
        self._end += len(rows)
        self._begin = max(self._begin, self._end - self._max_spans)

    def all(self, now_ns: int) -> Recent:
        """All that are recent, in the order in which they were settled; neither to be changed nor to be kept."""
        columns = self._columns
        settled_ns = columns["settled_ns"][self._begin : self._end]
        self._begin += int(np.searchsorted(settled_ns, now_ns - self._max_age_ns, "right"))
        here = slice(self._begin, self._end)
        spans = AgentSpans.blank(0, self._tenant)
        for name in _ROW_COLUMNS:
            setattr(spans, name, columns[name][here])
        spans.conversation = Utf8Column(self._texts, columns["text_start"][here], columns["text_length"][here])
        spans.link_offsets = np.zeros(self._end - self._begin + 1, np.int64)
        return Recent(spans, columns["caller"][here])

    def _make_room(self, n_rows: int, n_text: int) -> None:
        kept = min(self._end - self._begin, self._max_spans)
        if self._end + n_rows > len(self._columns["caller"]):
            size = min(2 * (kept + n_rows), 2 * self._max_spans)
            columns = self._columns if size <= len(self._columns["caller"]) else _blank(size)
            for name, column in self._columns.items():
                # What is moved may reach into where it goes.
                columns[name][:kept] = column[self._end - kept : self._end].copy()
            self._columns, self._begin, self._end = columns, 0, kept
        if self._n_text + n_text > len(self._texts):
            start, length = (self._columns[name][self._begin : self._end] for name in ("text_start", "text_length"))
            texts = Utf8Column(self._texts, start, length).compact()
            start[:] = texts.start
            self._n_text = len(texts.buffer)
            self._texts = np.zeros(2 * (self._n_text + n_text), np.uint8)
            self._texts[: self._n_text] = texts.buffer


def _blank(n_rows: int) -> dict[str, NDArray[Any]]:
    spans, numbers = AgentSpans.blank(n_rows), ("settled_ns", "text_start", "text_length")
    columns = {name: getattr(spans, name) for name in _ROW_COLUMNS}
    return columns | {name: np.zeros(n_rows, np.int64) for name in numbers} | {"caller": np.zeros(n_rows, np.uint32)}

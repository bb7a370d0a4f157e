"""Tags of Jaeger's in columns: typed values spelled as `ValueKind` says, texts mended."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.jaeger.schema import TYPE_BINARY, TYPE_BOOL, TYPE_DOUBLE, TYPE_LONG, TYPE_STRING
from swarmscope.receivers.wire.scanner import Children
from swarmscope.receivers.wire.text_repair import repair_texts
from swarmscope.receivers.wire.text_tail import TextTail
from swarmscope.receivers.wire.thrift_scanner import ThriftTable

_KIND_OF_TYPE = np.array([ValueKind.STRING, ValueKind.DOUBLE, ValueKind.BOOL, ValueKind.INT, ValueKind.BYTES], np.uint8)


class TagColumns(NamedTuple):
    """All tags of a request, whatever they are of; positions in body and tail."""

    kind: NDArray[np.uint8]
    name_start: NDArray[np.int64]
    name_length: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    n_repaired: int

    def to_sets(self, buffer: NDArray[np.uint8], children: Children) -> AttributeSets:
        """The tags of some rows, once body and tail are one buffer."""
        rows = children.rows
        values = ValueColumn(self.kind[rows], Utf8Column(buffer, self.start[rows], self.length[rows]))
        return AttributeSets(
            children.offsets, Utf8Column(buffer, self.name_start[rows], self.name_length[rows]), values
        )


def spell_tags(body: NDArray[np.uint8], tags: ThriftTable, tail: TextTail) -> TagColumns:
    """The tags of a request. Raises MalformedInputError for a type that there is not."""
    tag_type = tags.ints("vType")
    wrong = np.flatnonzero((tag_type < TYPE_STRING) | (tag_type > TYPE_BINARY))
    if len(wrong):
        row = int(wrong[0])
        raise MalformedInputError(f"Tag.vType at byte {int(tags.start[row])}: there is no type {int(tag_type[row])}")
    keys, texts, binaries = (tags.texts(name) for name in ("key", "vStr", "vBinary"))
    name_start, name_length = keys.start.copy(), keys.length.copy()
    is_text = tag_type == TYPE_STRING
    start, length = np.where(is_text, texts.start, 0), np.where(is_text, texts.length, 0)
    n_repaired = repair_texts(body, name_start, name_length, tail) + repair_texts(body, start, length, tail)
    rows = np.flatnonzero(tag_type == TYPE_BINARY)
    start[rows], length[rows] = binaries.start[rows], binaries.length[rows]
    rows = np.flatnonzero(tag_type == TYPE_BOOL)
    if len(rows):
        start[rows], length[rows] = tail.add(b"\0\1") + tags.ints("vBool")[rows], 1
    for number_type, name in ((TYPE_DOUBLE, "vDouble"), (TYPE_LONG, "vLong")):
        rows = np.flatnonzero(tag_type == number_type)
        numbers = np.ascontiguousarray(tags.ints(name)[rows]).view(np.uint8)
        start[rows], length[rows] = tail.add(numbers) + 8 * np.arange(len(rows)), 8
    return TagColumns(_KIND_OF_TYPE[tag_type], name_start, name_length, start, length, n_repaired)

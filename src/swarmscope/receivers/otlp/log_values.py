"""Values of log records as text: what is no string is written behind the body. Maps among attributes are flattened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.otlp.attribute_text import to_attribute_text
from swarmscope.receivers.otlp.log_kernel import (
    ARRAY,
    BOOL,
    DOUBLE,
    INT,
    KIND,
    MAP,
    NAME,
    NAME_LENGTH,
    NOTHING,
    STRING,
    VALUE,
    VALUE_LENGTH,
)
from swarmscope.receivers.otlp.number_columns import to_float_texts, to_int_texts
from swarmscope.receivers.wire.text_tail import TextTail

_MESSAGES: dict[str, Any] = {
    "AnyValue": common_pb2.AnyValue,
    "Resource": resource_pb2.Resource,
    "InstrumentationScope": common_pb2.InstrumentationScope,
}


class ValueColumns(NamedTuple):
    """n values; changed in place until every one is a text."""

    kind: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


def _make_lenient() -> dict[str, Any]:
    """The same messages with bytes in place of strings: the wire format is one, and nobody checks for UTF-8."""
    pool = descriptor_pool.DescriptorPool()
    for published in (common_pb2.DESCRIPTOR, resource_pb2.DESCRIPTOR):
        copy = descriptor_pb2.FileDescriptorProto()
        published.CopyToProto(copy)
        for message in copy.message_type:
            for field in message.field:
                if field.type == FieldDescriptor.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(copy)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(strict.DESCRIPTOR.full_name))
        for name, strict in _MESSAGES.items()
    }


_LENIENT = _make_lenient()


def _repair(message: Any, published: Any) -> None:
    """Make every text of a lenient message UTF-8."""
    for field, value in message.ListFields():
        strict = published.fields_by_number[field.number]
        if strict.type == FieldDescriptor.TYPE_STRING:
            texts = [value] if isinstance(value, bytes) else list(value)
            mended = [text.decode(errors="replace").encode() for text in texts]
            if isinstance(value, bytes):
                setattr(message, field.name, mended[0])
            else:
                value[:] = mended
        elif strict.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if strict.is_repeated else (value,):
                _repair(part, strict.message_type)


def decode_text_part(message: str, body: NDArray[np.uint8], start: int, length: int) -> Any:
    """One message inside a body, texts that are not UTF-8 repaired. Raises MalformedInputError."""
    data = body[start : start + length].tobytes()
    try:
        return _MESSAGES[message].FromString(data)
    except DecodeError:
        pass
    try:
        lenient = _LENIENT[message].FromString(data)
        _repair(lenient, _MESSAGES[message].DESCRIPTOR)
        return _MESSAGES[message].FromString(lenient.SerializeToString())
    except DecodeError as error:
        raise MalformedInputError(f"{message} at byte {start}: {error}") from error


def flatten(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """An attribute as pairs of texts: a map's entries under names joined by dots."""
    if value.WhichOneof("value") != "kvlist_value":
        yield key, to_attribute_text(value)
        return
    for pair in value.kvlist_value.values:
        yield from flatten(f"{key}.{pair.key}", pair.value)


def flatten_all(attributes: Any) -> dict[str, str]:
    """Attributes (KeyValue messages) by name, without empty ones."""
    found = {name: text for pair in attributes for name, text in flatten(pair.key, pair.value)}
    return {name: text for name, text in found.items() if name and text}


def expand_maps(
    body: NDArray[np.uint8], pairs: NDArray[np.int64], offsets: NDArray[np.int64], tail: TextTail
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs [5, n_pairs] and their offsets with a pair for each entry of a map. # Slow path"""
    rows = np.flatnonzero(pairs[KIND] == MAP)
    if not len(rows):
        return pairs, offsets
    counts = np.ones(pairs.shape[1], np.int64)
    names: list[bytes] = []
    texts: list[bytes] = []
    for row in rows.tolist():
        start, length = int(pairs[NAME, row]), int(pairs[NAME_LENGTH, row])
        key = body[start : start + length].tobytes().decode(errors="replace")
        value = decode_text_part("AnyValue", body, int(pairs[VALUE, row]), int(pairs[VALUE_LENGTH, row]))
        before = len(names)
        for name, text in flatten(key, value):
            names.append(name.encode())
            texts.append(text.encode())
        counts[row] = len(names) - before
    expanded = np.repeat(pairs, counts, axis=1)
    entries = np.flatnonzero(expanded[KIND] == MAP)
    expanded[NAME, entries], expanded[NAME_LENGTH, entries] = tail.add_texts(names)
    expanded[VALUE, entries], expanded[VALUE_LENGTH, entries] = tail.add_texts(texts)
    expanded[KIND, entries] = STRING
    return expanded, np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))[offsets]


def write_values(body: NDArray[np.uint8], values: ValueColumns, tail: TextTail) -> None:
    """Put the text of every value that is none behind the body; strings stay where they are."""
    kind, start, length = values
    if not (kind != STRING).any():  # Fast path
        return
    length[kind == NOTHING] = 0
    rows = np.flatnonzero(kind == INT)
    if len(rows):
        text, starts, length[rows] = to_int_texts(start[rows])
        start[rows] = starts + tail.add(text)
    rows = np.flatnonzero(kind == BOOL)
    if len(rows):
        is_true = start[rows] != 0
        at = tail.add(b"truefalse")
        start[rows], length[rows] = np.where(is_true, at, at + len(b"true")), np.where(is_true, 4, 5)
    rows = np.flatnonzero(kind == DOUBLE)
    if len(rows):
        start[rows], length[rows] = tail.add_texts(to_float_texts(start[rows].view(np.float64)))
    rows = np.flatnonzero(kind >= ARRAY)
    if len(rows):  # Slow path
        spans = zip(start[rows].tolist(), length[rows].tolist(), strict=True)
        texts = [to_attribute_text(decode_text_part("AnyValue", body, *span)).encode() for span in spans]
        start[rows], length[rows] = tail.add_texts(texts)

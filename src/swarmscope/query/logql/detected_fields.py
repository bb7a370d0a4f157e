"""What fields the newest lines have: structured metadata, and what a parser finds in the lines.

Endpoints: https://grafana.com/docs/loki/latest/reference/loki-http-api/ (detected fields, detected labels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import orjson
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import JsonParser, LogfmtParser, LogPipeline, UnpackParser
from swarmscope.lang.logql.quoting import read_bytes, read_go_duration_ns
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.blocks import ERROR, ERROR_DETAILS, EXTRACTED, LabelKind, LineBlock, coalesced, without
from swarmscope.query.logql.extraction import field_name
from swarmscope.query.logql.json_parser import parse_json
from swarmscope.query.logql.label_parsing import PARSERS, set_field
from swarmscope.query.logql.logfmt_parser import parse_logfmt
from swarmscope.query.logql.text_interning import distinct_texts

JSON, LOGFMT = "json", "logfmt"
_BOOLEANS = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
# Labels that tell where lines come from, worth showing whatever their values look like.
_PLACES = frozenset({"cluster", "namespace", "instance", "pod"})


@dataclass(frozen=True, slots=True)
class DetectedField:
    """A field: what its values look like, how many different ones there are, and which parsers find it (() for
    structured metadata).
    """

    name: str
    type: str  # string, int, float, duration, bytes or boolean
    cardinality: int
    parsers: tuple[str, ...]
    values: tuple[str, ...]
    json_path: tuple[str, ...] = ()  # the names that lead to it where it lies in JSON


@dataclass(frozen=True, slots=True)
class DetectedLabel:
    """A stream label and how many values it has."""

    name: str
    cardinality: int


def detect_fields(block: LineBlock, tree: LogPipeline, order: NDArray[np.int64], limit: int) -> list[DetectedField]:
    """Fields of lines that have been through the query's pipeline, `limit` of them at most, sorted by name.

    `order` [n] tells which line's value a field's type is guessed from: the first one's that has it. Changes the block.
    """
    parsers = _parse(block, tree)
    found: list[DetectedField] = []
    for kind in (LabelKind.METADATA, LabelKind.MADE):
        for name in sorted(block.names(kind)):
            column = block.made.get(name) if kind is LabelKind.MADE else block.metadata_label(name)
            if column is None or name in (ERROR, ERROR_DETAILS) or len(found) >= limit:
                continue
            used = parsers.get(name, ()) if kind is LabelKind.MADE else ()
            field = _field(name, column.take(order), used)
            if field is not None:
                found.append(field)
    in_json = {_plain_name(field.name) for field in found if JSON in field.parsers}
    paths = find_json_paths(block.line.take(order), in_json)
    placed = (
        replace(field, json_path=paths.get(_plain_name(field.name), ())) if JSON in field.parsers else field
        for field in found
    )
    return sorted(placed, key=lambda field: field.name)


def _plain_name(name: str) -> str:
    """A field's name as the parser made it, before it was found to be taken."""
    return name.removesuffix(EXTRACTED)


def find_json_paths(line: Utf8Column, wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """The names of members that lead to each wanted field, from the first line that has it.

    # Slow path: a few hundred lines, and no more than it takes to meet every field
    """
    paths: dict[str, tuple[str, ...]] = {}
    starts, lengths = line.start.tolist(), line.length.tolist()
    for start, length in zip(starts, lengths, strict=True):
        if len(paths) == len(wanted):
            break
        try:
            told = orjson.loads(line.buffer[start : start + max(length, 0)].tobytes())
        except orjson.JSONDecodeError:
            continue
        for path in _member_paths(told, ()):
            name = field_name("_".join(path))
            if name in wanted:
                paths.setdefault(name, path)
    return paths


def _member_paths(told: object, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths to everything in an object that is none itself; arrays are no fields."""
    if isinstance(told, dict):
        for name, member in told.items():
            yield from _member_paths(member, (*above, name))
    elif above and not isinstance(told, list):
        yield above


def _field(name: str, column: Utf8Column, parsers: tuple[str, ...]) -> DetectedField | None:
    _, first = distinct_texts(column)
    if len(first) == 0:
        return None
    values = column.take(first).to_strings()
    return DetectedField(name, guess_type(values[0]), len(values), parsers, tuple(values))


def _parse(block: LineBlock, tree: LogPipeline) -> Mapping[str, tuple[str, ...]]:
    """Parsers by name of the field; lines are parsed here where the query does not do so itself."""
    own = [stage for stage in tree.stages if isinstance(stage, PARSERS)]
    if own:
        used = tuple(dict.fromkeys(word for stage in own if (word := _word(stage))))
        return dict.fromkeys(block.made, used)
    parsed: dict[str, tuple[str, ...]] = {}
    extracted = parse_json(block.line, None)
    rest = extracted.failed
    _take(block, {name: without(column, rest) for name, column in extracted.columns.items()}, JSON, parsed)
    if rest.any():
        pairs = parse_logfmt(block.line, None, strict=False, keep_empty=False)
        _take(block, {name: without(column, ~rest) for name, column in pairs.columns.items()}, LOGFMT, parsed)
    return parsed


def _take(block: LineBlock, columns: Mapping[str, Utf8Column], parser: str, parsed: dict[str, tuple[str, ...]]) -> None:
    for name, column in columns.items():
        before = dict(block.made)
        set_field(block, name, column)
        for label in (name, f"{name}_extracted"):
            if label in block.made and block.made[label] is not before.get(label):
                parsed[label] = tuple(dict.fromkeys((*parsed.get(label, ()), parser)))


def _word(stage: object) -> str:
    if isinstance(stage, JsonParser | UnpackParser):
        return JSON
    return LOGFMT if isinstance(stage, LogfmtParser) else ""


def guess_type(value: str) -> str:
    """What a field's value looks like."""
    if _INTEGER.fullmatch(value):
        return "int"
    if _FLOAT.fullmatch(value):
        return "float"
    if value in _BOOLEANS:
        return "boolean"
    for name, read in (("duration", read_go_duration_ns), ("bytes", read_bytes)):
        try:
            read(value)
        except ValueError:
            continue
        return name
    return "string"


def values_of_field(block: LineBlock, tree: LogPipeline, name: str, limit: int) -> list[str]:
    """The values of one field, sorted, `limit` of them at most. Changes the block."""
    _parse(block, tree)
    columns = [column for column in (block.made.get(name), block.metadata_label(name)) if column is not None]
    if not columns:
        return []
    column = columns[0] if len(columns) == 1 else coalesced(columns[0], columns[1])
    _, first = distinct_texts(column)
    return sorted(column.take(first).to_strings())[:limit]


def detect_labels(values_by_name: Iterable[tuple[str, Sequence[str]]]) -> list[DetectedLabel]:
    """Stream labels worth showing: not those all of whose values are numbers or unique ids."""
    return [
        DetectedLabel(name, len(values))
        for name, values in values_by_name
        if values and (name in _PLACES or not all(_is_id(value) for value in values))
    ]


def _is_id(value: str) -> bool:
    return _FLOAT.fullmatch(value) is not None or _UUID.fullmatch(value) is not None

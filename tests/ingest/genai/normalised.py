"""Normalised spans as plain mappings: what was said, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import (
    NO_TEXT,
    NOT_SAID,
    TEXT_COLUMNS,
    TOKEN_COLUMNS,
    AgentOperation,
    AgentSpans,
    CostSource,
    Dialect,
    InteractionType,
    Vocabulary,
)
from swarmscope.model.attributes import ValueKind
from swarmscope.model.spans import SpanBatch
from swarmscope.testing.plain_spans import PlainScope, PlainSpan, span_id, to_batch, trace_id

SEED = 0x5EED_0123_4567_89AB
START_NS = 1_775_000_000_000_000_000  # March 31st, 2026
END_NS = START_NS + 2_000_000_000
VOCABULARY = Vocabulary()
PRICES = Prices()
NORMALISER = SpanNormaliser(VOCABULARY, SEED, PRICES)


def span(attributes: dict[str, Any], name: str = "work", number: int = 1, scope: str = "", **fields: Any) -> PlainSpan:
    """A span of trace 1, two seconds long."""
    times = {"start_ns": START_NS, "end_ns": END_NS} | fields
    return PlainSpan(trace_id(1), span_id(number), name, attributes=attributes, scope=PlainScope(scope), **times)


def row(attributes: dict[str, Any], name: str = "work", **fields: Any) -> dict[str, Any]:
    """What one span says."""
    return rows([span(attributes, name, **fields)])[0]


def rows(spans: Sequence[PlainSpan], normaliser: SpanNormaliser = NORMALISER) -> list[dict[str, Any]]:
    """What each span says."""
    found = normaliser.normalise(to_span_batch(spans))
    return [as_mapping(found, at, normaliser.vocabulary) for at in range(len(found))]


def to_span_batch(spans: Sequence[PlainSpan]) -> SpanBatch:
    """A batch in which bytes are the messages of arrays: plain attributes know scalars alone."""
    batch = to_batch(spans)
    kind = batch.attributes.values.kind
    kind[kind == ValueKind.BYTES] = ValueKind.ARRAY
    return batch


def texts(*values: str) -> bytes:
    """An array of texts, as it is on the wire."""
    return common_pb2.ArrayValue(
        values=[common_pb2.AnyValue(string_value=value) for value in values]
    ).SerializeToString()


def as_mapping(spans: AgentSpans, at: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """Columns of one row that say something; `name` and hashes aside."""
    told: dict[str, Any] = {}
    for column in TEXT_COLUMNS:
        code = int(getattr(spans, column)[at])
        if code != NO_TEXT and column != "name":
            told[column] = vocabulary.text(code)
    for column in (*TOKEN_COLUMNS, "payload_bytes"):
        number = int(getattr(spans, column)[at])
        if number != NOT_SAID:
            told[column] = number
    for column, kind in (
        ("operation", AgentOperation), ("channel", InteractionType), ("dialect", Dialect), ("cost_source", CostSource),
    ):  # fmt: skip
        value = kind(int(getattr(spans, column)[at]))
        if value:
            told[column] = value
    if not math.isnan(spans.cost_usd[at]):
        told["cost_usd"] = round(float(spans.cost_usd[at]), 9)
    if spans.conversation_key[at]:
        told["conversation"] = spans.conversation.text(at)
    return told

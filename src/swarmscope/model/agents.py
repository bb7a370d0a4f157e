"""What a span says of agents, whatever convention its sender follows: typed columns, one row a span.

The terms are those of OpenTelemetry's semantic conventions for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai); other conventions are mapped to them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.interned_rows import InternedRows
from swarmscope.model.labels import DEFAULT_TENANT, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.runs_of_entries import taken_runs

NO_TEXT = 1  # the code of the empty text: nothing was said
OVERFLOW_TEXT = "(further names)"  # what texts share for which a vocabulary has no room
NOT_SAID = -1  # of tokens and bytes
# Texts of one process: agents, models, tools, teams; conversations are not among them.
_MAX_TEXTS = 200_000


class AgentOperation(IntEnum):
    """What an agent's span does (`gen_ai.operation.name`, and what other conventions add). The numbers are stored."""

    NONE = 0  # the span says nothing of agents by itself
    CHAT = 1
    TEXT_COMPLETION = 2
    GENERATE_CONTENT = 3
    EMBEDDINGS = 4
    RETRIEVAL = 5
    CREATE_AGENT = 6
    INVOKE_AGENT = 7
    INVOKE_WORKFLOW = 8
    EXECUTE_TOOL = 9
    PLAN = 10
    MEMORY = 11  # any of the operations on memories
    HANDOFF = 12  # control passes to another agent
    MESSAGE = 13  # one agent tells another something, over whatever transport
    RERANK = 14
    GUARDRAIL = 15
    EVALUATE = 16
    CHAIN = 17  # a step of a framework that is none of the others
    OTHER = 18

    @property
    def label(self) -> str:
        """As it stands in labels and answers."""
        return self.name.lower()


INFERENCE_OPERATIONS = frozenset(
    {AgentOperation.CHAT, AgentOperation.TEXT_COMPLETION, AgentOperation.GENERATE_CONTENT, AgentOperation.EMBEDDINGS}
)


class InteractionType(IntEnum):
    """How one agent reached another. The numbers are stored."""

    NONE = 0
    CALL = 1  # a span of one inside a span of the other
    LINK = 2  # a span link
    MESSAGE = 3  # a messaging span, or a message of a framework
    HANDOFF = 4
    A2A = 5
    MCP = 6
    TOOL = 7  # a tool call that is an agent
    CONVERSATION = 8  # both took part in one conversation, one directly after the other

    @property
    def label(self) -> str:
        """As it stands in labels and answers."""
        return self.name.lower()


class Dialect(IntEnum):
    """The convention that a span follows; of several, the one that said most. The numbers are stored."""

    NONE = 0
    OTEL = 1  # 1.37 and later
    OTEL_LEGACY = 2  # up to 1.36
    OPENINFERENCE = 3
    OPENLLMETRY = 4
    OPENLIT = 5
    SWARMSCOPE = 6  # the SDK's own
    MESSAGING = 7  # messaging spans, MCP and A2A without anything of generative AI


class CostSource(IntEnum):
    """Where a cost is from. The numbers are stored."""

    NONE = 0  # nothing was to be paid for, or nothing is known of tokens
    SPAN = 1  # the span says it
    PRICES = 2  # tokens times the price that was valid at the span's end
    UNKNOWN_MODEL = 3  # there are tokens, and no price for the model: listed, never guessed


class Vocabulary:
    """Texts by number, the same for the whole process; it only grows, up to its bound. Thread-safe."""

    def __init__(self, max_texts: int = _MAX_TEXTS) -> None:
        self._rows: InternedRows[str] = InternedRows(max_texts, OVERFLOW_TEXT)
        self._lock = threading.Lock()
        if self._rows.row_of("") != NO_TEXT:
            raise AssertionError("the empty text is the first")

    def __len__(self) -> int:
        return len(self._rows)

    def codes_of(self, hashes: NDArray[np.uint64], text_of: Callable[[int], str]) -> NDArray[np.uint32]:
        """The code [n] of each text by its hash [n] (`model.byte_hash`, one seed for all callers).

        `text_of(position)` is asked once for a hash that was never seen.
        """
        with self._lock:
            return self._rows.rows_of(hashes, text_of).astype(np.uint32)

    def code_of(self, text: str) -> int:
        """The code of one text. # Slow path"""
        with self._lock:
            return self._rows.row_of(text)

    def text(self, code: int) -> str:
        """The text of a code."""
        text = self._rows.values[code]
        return OVERFLOW_TEXT if text is None else text

    def texts(self) -> list[str]:
        """All texts by code; a copy."""
        return [text or "" for text in list(self._rows.values)]

    @property
    def is_full(self) -> bool:
        """Whether new texts find no room: their code is that of `OVERFLOW_TEXT`, 0."""
        return self._rows.is_full


@dataclass(slots=True)
class AgentSpans:
    """Spans as agents' work, one row for EVERY span of a batch (plain ones carry their parents' agents onwards).

    Texts are codes of one `Vocabulary`, NO_TEXT where nothing was said. Nothing here points into a request's
    buffers: a row may be kept as long as one likes. What is not said is not inferred here: an agent that only an
    ancestor names is NO_TEXT until `analysis.agents` looks at the whole trace.
    """

    trace_id: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    span_key: NDArray[np.uint64]  # [n] hash of trace and span id, never 0
    parent_key: NDArray[np.uint64]  # [n] the parent's `span_key`, 0 for a root
    start_ns: NDArray[np.int64]  # [n] Unix nanoseconds
    end_ns: NDArray[np.int64]  # [n] 0 while the span is open (it was announced, and has not ended)
    status: NDArray[np.uint8]  # [n] SpanStatus
    kind: NDArray[np.uint8]  # [n] SpanKind
    operation: NDArray[np.uint8]  # [n] AgentOperation
    channel: NDArray[np.uint8]  # [n] InteractionType that the span is by its own words, NONE for most
    dialect: NDArray[np.uint8]  # [n] Dialect
    service: NDArray[np.uint32]  # [n] service.name
    name: NDArray[np.uint32]  # [n] the span's name
    agent: NDArray[np.uint32]  # [n] whose work this is, by the span or its resource
    agent_id: NDArray[np.uint32]  # [n]
    agent_version: NDArray[np.uint32]  # [n]
    framework: NDArray[np.uint32]  # [n] what instrumented it, from the scope
    team: NDArray[np.uint32]  # [n]
    source: NDArray[np.uint32]  # [n] who speaks, where the span names both sides
    target: NDArray[np.uint32]  # [n] the agent that is called, told or handed control to
    provider: NDArray[np.uint32]  # [n]
    model: NDArray[np.uint32]  # [n] that of the response, else of the request
    tool: NDArray[np.uint32]  # [n]
    workflow: NDArray[np.uint32]  # [n]
    error_type: NDArray[np.uint32]  # [n]
    finish_reason: NDArray[np.uint32]  # [n] the first one
    input_tokens: NDArray[np.int64]  # [n] cached ones included; NOT_SAID
    output_tokens: NDArray[np.int64]  # [n] reasoning included; NOT_SAID
    cached_tokens: NDArray[np.int64]  # [n] of the input, read from a cache; NOT_SAID
    cache_write_tokens: NDArray[np.int64]  # [n] of the input, written to a cache; NOT_SAID
    reasoning_tokens: NDArray[np.int64]  # [n] of the output; NOT_SAID
    cost_usd: NDArray[np.float64]  # [n] NaN where unknown
    cost_source: NDArray[np.uint8]  # [n] CostSource
    payload_bytes: NDArray[np.int64]  # [n] what was handed over; NOT_SAID
    content: NDArray[np.uint64]  # [n] hash of what was done (tool arguments, else messages), 0 for none
    similarity: NDArray[np.uint64]  # [n] simhash of the same: near contents differ in few bits; 0 for none
    conversation_key: NDArray[np.uint64]  # [n] hash of the conversation's id, 0 for none
    conversation: Utf8Column  # [n] its id; buffer of its own
    link_offsets: NDArray[np.int64]  # [n + 1]
    link_key: NDArray[np.uint64]  # [n_links] `span_key` of the linked spans
    weight: NDArray[np.float32]  # [n] 1; what is counted here is counted before sampling
    tenant: str = DEFAULT_TENANT

    def __len__(self) -> int:
        return len(self.span_key)

    @property
    def says_something(self) -> NDArray[np.bool_]:
        """[n] whether a row tells of agents by itself."""
        told: NDArray[np.bool_] = (
            (self.operation != AgentOperation.NONE) | (self.agent != NO_TEXT) | (self.target != NO_TEXT)
        )
        return told

    def take(self, rows: NDArray[np.int64]) -> AgentSpans:
        """The spans `rows` [n], in that order; texts of conversations stay in the same buffer."""
        offsets, links = taken_runs(self.link_offsets, rows)
        columns = {name: getattr(self, name)[rows] for name in _ROW_COLUMNS}
        return AgentSpans(
            **columns,
            conversation=self.conversation.take(rows),
            link_offsets=offsets,
            link_key=self.link_key[links],
            tenant=self.tenant,
        )

    @classmethod
    def concat(cls, parts: list[AgentSpans]) -> AgentSpans:
        """All rows of several batches of one tenant (at least one batch), in that order."""
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ROW_COLUMNS}
        shifts = np.cumsum([0, *(part.link_offsets[-1] for part in parts)])
        offsets = [part.link_offsets[:-1] + shift for part, shift in zip(parts, shifts, strict=False)]
        texts = [part.conversation for part in parts]
        bytes_before = np.cumsum([0, *(len(text.buffer) for text in texts)])
        return cls(
            **columns,
            conversation=Utf8Column(
                np.concatenate([text.buffer for text in texts]),
                np.concatenate([text.start + at for text, at in zip(texts, bytes_before, strict=False)]),
                np.concatenate([text.length for text in texts]),
            ),
            link_offsets=np.append(np.concatenate(offsets), shifts[-1]),
            link_key=np.concatenate([part.link_key for part in parts]),
            tenant=parts[0].tenant,
        )

    @classmethod
    def blank(cls, n: int, tenant: str = DEFAULT_TENANT) -> AgentSpans:
        """n rows that say nothing, to be filled."""
        columns: dict[str, NDArray[Any]] = {}
        for dtype, nothing, names in _COLUMNS:
            columns |= {name: np.full(n, nothing, dtype) for name in names}
        return cls(
            **columns,
            trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
            span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
            conversation=Utf8Column(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)),
            link_offsets=np.zeros(n + 1, np.int64),
            link_key=np.zeros(0, np.uint64),
            tenant=tenant,
        )


TEXT_COLUMNS = (
    "service", "name", "agent", "agent_id", "agent_version", "framework", "team", "source", "target", "provider",
    "model", "tool", "workflow", "error_type", "finish_reason",
)  # fmt: skip
TOKEN_COLUMNS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
# Type, what stands where nothing was said, and the columns [n] that have both.
_COLUMNS: tuple[tuple[type[np.generic], float, tuple[str, ...]], ...] = (
    (np.uint64, 0, ("span_key", "parent_key", "content", "similarity", "conversation_key")),
    (np.int64, 0, ("start_ns", "end_ns")),
    (np.uint8, 0, ("status", "kind", "operation", "channel", "dialect", "cost_source")),
    (np.uint32, NO_TEXT, TEXT_COLUMNS),
    (np.int64, NOT_SAID, (*TOKEN_COLUMNS, "payload_bytes")),
    (np.float64, math.nan, ("cost_usd",)),
    (np.float32, 1, ("weight",)),
)
_ROW_COLUMNS = ("trace_id", "span_id", *(name for _, _, names in _COLUMNS for name in names))

"""Compiling the kernels that find out what spans say of agents."""

from __future__ import annotations

import numpy as np

from swarmscope.ingest.genai.evaluation_results import has_annotations
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.observed_logs import ObservedLogSink
from swarmscope.ingest.genai.observed_spans import ObservedSpanSink
from swarmscope.ingest.genai.open_spans import OPEN_SPAN_EVENT
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.attributes import AttributeSets, Scalar
from swarmscope.model.contracts import Receipt
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, LogBatch
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanStatus

_ATTRIBUTES: tuple[dict[str, Scalar], ...] = (
    {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1, "gen_ai.usage.cost": 0.5, "payload.size": "2"},
    {"openinference.span.kind": "TOOL", "input.value": '{"up": "and down"}', "metadata": '{"thread_id": "1"}'},
    {"messaging.destination": "a.(b)-A", "response.success": False, "agent.target": "b"},
)
_PRICED: dict[str, Scalar] = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 3}


class _Nowhere:
    """Takes everything."""

    def write_spans(self, batch: SpanBatch) -> Receipt:
        return Receipt(spans=len(batch))

    def write_logs(self, batch: LogBatch) -> Receipt:
        return Receipt(lines=len(batch))

    def observe_spans(self, spans: AgentSpans) -> None:
        spans.says_something.any()


def warm_up() -> None:
    """Compile, or load from the cache."""
    nowhere, normaliser = _Nowhere(), SpanNormaliser(Vocabulary(), 1, Prices())
    spans = ObservedSpanSink(nowhere, normaliser, nowhere)
    spans.write_spans(_spans())
    has_annotations(_spans().attributes)
    ObservedLogSink(nowhere, normaliser, nowhere).write_logs(_lines())


def _spans() -> SpanBatch:
    n = len(_ATTRIBUTES) + 1
    counts, scopes = np.zeros(n, np.uint32), ("autogen-core", "openinference.instrumentation.langchain", "up", "down")
    texts = Utf8Column.from_strings(list(scopes))
    events = Events(
        np.arange(n + 1),
        np.zeros(n, np.int64),
        texts,
        AttributeSets.from_dicts([{"exception.type": "E"}] * n),
        counts,
    )
    resources = AttributeSets.from_dicts([{"service.name": "a"}])
    return SpanBatch(
        resources=Resources(resources, texts.take(np.zeros(1, np.int64)), counts[:1]),
        scopes=Scopes(texts, texts, AttributeSets.empty(n), texts, counts),
        resource=np.zeros(n, np.int64),
        scope=np.arange(n),
        trace_id=np.ones((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.ones((n, SPAN_ID_BYTES), np.uint8),
        parent_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        start_ns=np.zeros(n, np.int64),
        end_ns=np.ones(n, np.int64),
        kind=np.ones(n, np.uint8),
        status=np.full(n, SpanStatus.ERROR, np.uint8),
        flags=counts,
        dropped_attributes=counts,
        dropped_events=counts,
        dropped_links=counts,
        name=texts,
        status_message=texts,
        trace_state=texts,
        attributes=AttributeSets.from_dicts([*_ATTRIBUTES, _PRICED]),
        events=events,
        links=Links.empty(n),
        keep=np.zeros(n, np.uint8),
        share=np.ones(n, np.float32),
    )


def _lines() -> LogBatch:
    metadata = {"event_name": OPEN_SPAN_EVENT, "span.parent_id": "00" * SPAN_ID_BYTES, "span.start_ns": "1",
                "span.kind": "CLIENT", "span.name": "up", "gen_ai.operation.name": "chat"}  # fmt: skip
    return LogBatch(
        stream_key=np.ones(1, np.uint64),
        stream_ref=np.zeros(1, np.int64),
        new_labels=LabelSets.from_dicts([]),
        stream=np.zeros(1, np.int64),
        ts_ns=np.zeros(1, np.int64),
        line=Utf8Column.from_strings(["up"]),
        metadata=LabelSets.from_dicts([metadata]),
        level=np.zeros(1, np.uint8),
        severity=np.zeros(1, np.uint8),
        observed_ns=np.zeros(1, np.int64),
        trace_id=np.ones((1, TRACE_ID_BYTES), np.uint8),
        span_id=np.ones((1, SPAN_ID_BYTES), np.uint8),
    )

"""From a batch of spans to `AgentSpans`: what each span says of agents, in one vocabulary.

One walk finds the attributes that conventions name; then columns are filled one by one. No Python object is made for
a span or an attribute: texts are decoded once for the whole process.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.genai import naming
from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.canonical_words import canonical_finish_reason, canonical_model, canonical_provider
from swarmscope.ingest.genai.column_texts import ColumnTexts
from swarmscope.ingest.genai.contents import read_contents
from swarmscope.ingest.genai.costs import CostTable
from swarmscope.ingest.genai.dialects import CONVENTIONS
from swarmscope.ingest.genai.failures import failed_by_their_words, name_exceptions
from swarmscope.ingest.genai.name_table import to_rules
from swarmscope.ingest.genai.prices import Prices
from swarmscope.ingest.genai.read_only import read_only
from swarmscope.ingest.genai.reading import Pairs, Told, read_told
from swarmscope.ingest.genai.scope_traits import Trait, framework_of, traits_of
from swarmscope.ingest.genai.slices import MAX_NAME_BYTES, Buffers, Slices, hash_slices, text_at, to_slices
from swarmscope.ingest.genai.text_hashes import first_texts, text_hashes
from swarmscope.ingest.genai.tokens import read_numbers
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans, InteractionType, Vocabulary
from swarmscope.model.labels import Utf8Column
from swarmscope.model.span_keys import span_keys
from swarmscope.model.spans import SpanBatch, SpanKind, SpanStatus

# How many texts a column may bring into the vocabulary: all together less than it has room for.
_NAMES, _AGENTS, _IDS, _MANY, _SOME, _FEW = 40_000, 30_000, 30_000, 20_000, 5_000, 1_000
# Columns by field; source and target are agents.
_COLUMNS = {
    Field.AGENT: "agent", Field.AGENT_ID: "agent_id", Field.AGENT_VERSION: "agent_version", Field.TEAM: "team",
    Field.SOURCE: "source", Field.TARGET: "target", Field.PROVIDER: "provider", Field.MODEL: "model",
    Field.TOOL: "tool", Field.WORKFLOW: "workflow", Field.ERROR_TYPE: "error_type",
    Field.FINISH_REASON: "finish_reason",
}  # fmt: skip
# Providers whose own counts of input leave out what came from or went to a cache.
_SEPARATE_CACHE = ("anthropic", "aws.bedrock")
_OF_RESOURCES = {
    "service": ("service.name",),
    "agent": ("gen_ai.agent.name",),
    "agent_id": ("gen_ai.agent.id",),
    "agent_version": ("gen_ai.agent.version", "agi.version", "service.version", "app.version"),
    "team": ("agent.team", "gen_ai.team.name"),
}


class _Scopes(NamedTuple):
    framework: NDArray[np.uint32]  # [n_scopes] code
    traits: NDArray[np.uint8]  # [n_scopes] Trait


class SpanNormaliser:
    """Thread-safe. Codes are of `vocabulary`; hashes and keys are made with `seed`, the same in the whole process."""

    def __init__(self, vocabulary: Vocabulary, seed: int, prices: Prices) -> None:
        self.vocabulary = vocabulary
        self.seed = seed
        self._rules = to_rules(CONVENTIONS, seed)
        self._costs = CostTable(prices, vocabulary)
        self._lock = threading.Lock()  # over all columns' texts
        agents = ColumnTexts(vocabulary, _AGENTS)
        self._texts = {
            "service": ColumnTexts(vocabulary, _SOME),
            "name": ColumnTexts(vocabulary, _NAMES),
            "agent": agents,
            "source": agents,
            "target": agents,
            "agent_id": ColumnTexts(vocabulary, _IDS),
            "agent_version": ColumnTexts(vocabulary, _SOME),
            "team": ColumnTexts(vocabulary, _SOME),
            "provider": ColumnTexts(vocabulary, _FEW, canonical_provider),
            "model": ColumnTexts(vocabulary, _SOME, canonical_model),
            "tool": ColumnTexts(vocabulary, _MANY),
            "workflow": ColumnTexts(vocabulary, _MANY),
            "error_type": ColumnTexts(vocabulary, _SOME),
            "finish_reason": ColumnTexts(vocabulary, _FEW, canonical_finish_reason),
        }
        self._separate = np.array([vocabulary.code_of(name) for name in _SEPARATE_CACHE], np.uint32)
        self._frameworks: dict[str, tuple[int, Trait]] = {}

    def normalise(self, batch: SpanBatch) -> AgentSpans:
        """One row for every span of the batch, in its order; the batch is not changed."""
        spans = self._blank(batch)
        pairs = Pairs.of(batch.attributes)
        told = read_told(pairs, self._rules)
        if len(told.row):
            self._fill_told(batch, spans, pairs, told)
        self._fill_from_resources(batch, spans)
        self._costs.fill(spans)
        return spans

    def _blank(self, batch: SpanBatch) -> AgentSpans:
        spans = AgentSpans.blank(len(batch), batch.tenant)
        for name in ("trace_id", "span_id", "start_ns", "end_ns", "status", "kind"):
            setattr(spans, name, getattr(batch, name).copy())
        spans.span_key = span_keys(self.seed, batch.trace_id, batch.span_id)
        spans.parent_key = span_keys(self.seed, batch.trace_id, batch.parent_id)
        spans.link_offsets = batch.links.offsets.copy()
        spans.link_key = span_keys(self.seed, batch.links.trace_id, batch.links.span_id)
        return spans

    def _fill_told(self, batch: SpanBatch, spans: AgentSpans, pairs: Pairs, told: Told) -> None:
        rows = told.row
        scopes = self._scopes(batch)
        texts = _slices(batch, spans, pairs, told, scopes.traits)
        events = batch.events.attributes.values.text.buffer
        buffers = Buffers(pairs.buffer, read_only(batch.name.buffer), read_only(events))
        self._fill_texts(spans, rows, texts, buffers)
        spans.operation[rows], spans.channel[rows] = told.operation, told.channel
        speaks = (told.operation != AgentOperation.NONE) | (told.channel != InteractionType.NONE)
        speaks |= (spans.agent[rows] != NO_TEXT) | (spans.target[rows] != NO_TEXT)
        spans.dialect[rows] = np.where(speaks, told.dialect, 0)
        self._fill_names(batch, spans, rows[speaks], scopes)
        failed = rows[failed_by_their_words(pairs, told.pair[Field.SUCCESS]) & (spans.status[rows] == SpanStatus.UNSET)]
        spans.status[failed] = SpanStatus.ERROR
        contents = read_contents(pairs, told.pair, told.operation, self._rules.seed)
        spans.content[rows], spans.similarity[rows] = contents.content, contents.similarity
        read_numbers(spans, pairs, told, contents.bytes, self._separate_cache(spans, rows))

    def _fill_texts(self, spans: AgentSpans, rows: NDArray[np.int64], slices: Slices, buffers: Buffers) -> None:
        hashes = hash_slices(slices, buffers, self._rules.seed)
        with self._lock:
            for field, name in _COLUMNS.items():
                text_of = partial(text_at, slices, buffers, int(field))
                getattr(spans, name)[rows] = self._texts[name].codes_of(hashes[field], text_of)
        told = Field.CONVERSATION
        spans.conversation_key[rows] = hashes[told]
        start, length = np.zeros(len(spans), np.int64), np.zeros(len(spans), np.int64)
        start[rows], length[rows] = slices.start[told], slices.length[told]
        spans.conversation = Utf8Column(buffers.values, start, length).compact()

    def _fill_names(self, batch: SpanBatch, spans: AgentSpans, rows: NDArray[np.int64], scopes: _Scopes) -> None:
        """Span names of rows that speak: those of all other spans would fill the vocabulary for nothing."""
        names = batch.name.take(rows)
        names = Utf8Column(names.buffer, names.start, np.minimum(names.length, MAX_NAME_BYTES))
        spans.framework[rows] = scopes.framework[batch.scope[rows]]
        with self._lock:
            spans.name[rows] = self._texts["name"].codes_of(text_hashes(names, self.seed), partial(_decoded, names))

    def _scopes(self, batch: SpanBatch) -> _Scopes:
        names = [_decoded(batch.scopes.name, at) for at in range(len(batch.scopes))]
        with self._lock:
            known = [self._frameworks.get(name) or self._learn_framework(name) for name in names]
        return _Scopes(
            np.array([code for code, _ in known], np.uint32), np.array([trait for _, trait in known], np.uint8)
        )

    def _learn_framework(self, scope: str) -> tuple[int, Trait]:
        framework = framework_of(scope)
        if len(self._frameworks) >= _FEW:
            return NO_TEXT, traits_of(framework)
        self._frameworks[scope] = self.vocabulary.code_of(framework), traits_of(framework)
        return self._frameworks[scope]

    def _separate_cache(self, spans: AgentSpans, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of which rows [n] the input does not include what came from or went to a cache."""
        separate: NDArray[np.bool_] = np.isin(spans.provider[rows], self._separate)
        return separate

    def _fill_from_resources(self, batch: SpanBatch, spans: AgentSpans) -> None:
        if not len(batch.resources):
            return
        attributes = batch.resources.attributes
        codes = {}
        with self._lock:
            for name, attribute_names in _OF_RESOURCES.items():
                texts = first_texts(attributes, attribute_names)
                codes[name] = self._texts[name].codes_of(text_hashes(texts, self.seed), partial(_decoded, texts))
        spans.service = codes["service"][batch.resource]
        # A process that is one agent: where work enters it. What is inside inherits that, or names another agent.
        enters = (spans.parent_key == 0) | np.isin(spans.kind, (SpanKind.SERVER, SpanKind.CONSUMER))
        unnamed = np.flatnonzero((spans.agent == NO_TEXT) & enters)
        spans.agent[unnamed] = codes["agent"][batch.resource[unnamed]]
        # Whoever calls an agent elsewhere knows neither its version nor its team.
        own = np.flatnonzero((spans.agent != NO_TEXT) & (spans.kind != SpanKind.CLIENT))
        for name in ("agent_id", "agent_version", "team"):
            column = getattr(spans, name)
            missing = own[column[own] == NO_TEXT]
            column[missing] = codes[name][batch.resource[missing]]


def _slices(batch: SpanBatch, spans: AgentSpans, pairs: Pairs, told: Told, traits: NDArray[np.uint8]) -> Slices:
    """All names of told rows; operations and channels that only names tell are set in `told`."""
    rows = told.row
    names = naming.Names(
        read_only(batch.name.buffer), batch.name.start[rows], batch.name.length[rows], traits[batch.scope[rows]],
        spans.kind[rows], spans.parent_key[rows] == 0,
    )  # fmt: skip
    slices = to_slices(pairs, told.pair)
    naming.name_by_operation(pairs, names, told, slices)
    naming.name_entities(pairs, names, told, slices)
    naming.name_nodes(pairs, names, told, slices)
    naming.name_crews(names, told, slices)
    naming.name_peers(pairs, names, told, slices)
    naming.name_the_rest(names, told, slices)
    naming.name_sides(pairs.buffer, names, told, slices)
    if len(batch.events.ts_ns):
        name_exceptions(batch.events, rows, spans.status, slices)
    return slices


def _decoded(column: Utf8Column, at: int) -> str:
    begin = int(column.start[at])
    return column.buffer[begin : begin + int(column.length[at])].tobytes().decode("utf-8", "replace")

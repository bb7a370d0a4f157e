"""Whose work a span is: what its ancestors say is handed down to it, in whatever order spans arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from swarmscope.analysis.agents.conversation_texts import ConversationTexts
from swarmscope.analysis.agents.corrections import UsageLedger
from swarmscope.analysis.agents.forest_answers import (
    INTERACTION,
    N_CORRECTIONS,
    N_INTERACTIONS,
    N_SETTLED,
    N_TURNS,
    Answers,
    empty_answers,
)
from swarmscope.analysis.agents.forest_intake import expire, kept_rows, open_slots, take_in
from swarmscope.analysis.agents.forest_tables import (
    FACT,
    N_FREE,
    N_LOST,
    N_PAIRS,
    N_SLOTS,
    N_WAITERS,
    NONE,
    RESOLVED,
    Records,
    empty_state,
    pair_of,
)
from swarmscope.analysis.agents.settled import Interactions, OpenSpans, Settled
from swarmscope.analysis.agents.turns import Turns
from swarmscope.analysis.agents.waiting_spans import WaitingSpans, taken
from swarmscope.model.agents import NO_TEXT, AgentSpans, InteractionType, Vocabulary
from swarmscope.model.labels import DEFAULT_TENANT

_PATIENCE_NS = 600 * 10**9
_TURN_WAIT_NS = 30 * 10**9  # for how long a turn of a conversation may be overtaken by an earlier one
_MAX_PAIRS = 1 << 18  # source, target, type and versions
_UNKNOWN_SERVICE = "unknown_service"  # what OpenTelemetry's SDKs say when nobody named the service
_SAME_NAMES = (
    "parent", "conversation", "start_ns", "end_ns", "payload_bytes", "agent", "agent_id", "agent_version", "team",
    "workflow", "source", "target", "model", "tool", "service", "status", "kind", "operation", "channel",
)  # fmt: skip
_COLUMN_OF = {"parent": "parent_key", "conversation": "conversation_key"}


class SpanForest:
    """The spans of one tenant as far as they are needed to tell whose work others are. Not thread-safe.

    Memory is bounded: of `max_spans` spans some 110 bytes each are kept, those used least recently are forgotten;
    of a quarter as many, those that wait or are open, all that they say.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        max_spans: int = 1 << 20,
        patience_ns: int = _PATIENCE_NS,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        """Nothing is known yet; `patience_ns` is how long after its arrival a span waits for its ancestors."""
        self._vocabulary, self._patience_ns, self._tenant = vocabulary, patience_ns, tenant
        max_spans = max(max_spans, 64)
        self._state = empty_state(max_spans, max(16, max_spans // 4), _MAX_PAIRS)
        self._waiting = WaitingSpans(tenant)
        self._texts = ConversationTexts()
        self._turns = Turns(min(_TURN_WAIT_NS, patience_ns))
        self._ledger = UsageLedger(len(self._state.ledger), tenant)

    @property
    def n_waiting(self) -> int:
        """How many spans wait for their ancestors, or are open."""
        return int(self._state.counts[N_SLOTS] - self._state.counts[N_FREE])

    @property
    def n_lost(self) -> int:
        """How many open spans were forgotten for lack of room."""
        return int(self._state.counts[N_LOST])

    def settle(self, spans: AgentSpans, now_ns: int) -> Settled:
        """Take spans in; all of these and of earlier ones whose ancestors are known now, children before parents.

        Spans that were announced (end 0) are known to those below from then on, and settled when they have ended.
        """
        self._learn_texts(spans)
        answers = self._room(len(spans))
        rows = _facts(spans)
        take_in(self._state, rows, np.ascontiguousarray(spans.link_key), now_ns, answers)
        settled = self._settled(spans, answers, now_ns)
        slots = np.empty(self._state.counts[N_SLOTS], np.int64)
        slots = slots[: kept_rows(self._state, slots)]
        self._waiting.put(slots, spans, self._state.facts["row"][slots])
        self._state.facts["row"][slots] = -1
        return settled

    def expire(self, now_ns: int) -> Settled:
        """Spans that waited too long, with what is known of their ancestors; call it every few seconds.

        Interactions between turns of conversations are told here only.
        """
        answers = self._room(0)
        expire(self._state, now_ns - self._patience_ns, answers)
        return self._settled(AgentSpans.blank(0, self._tenant), answers, now_ns, with_turns=True)

    def agent_of(self, key: int) -> int | None:
        """The code of the agent whose work a span is, NO_TEXT for none; None where that is not known (any more).

        # Slow path: for single spans
        """
        nodes, table = self._state.nodes, self._state.table
        at = (key >> 20) & (len(table) - 1)
        while (node := int(table[at])) != NONE:
            if int(nodes["key"][node]) == key:
                return int(nodes["agent"][node]) if int(nodes["flags"][node]) & RESOLVED else None
            at = (at + 1) & (len(table) - 1)
        return None

    def open_spans(self, now_ns: int) -> OpenSpans:
        """Announced spans that have not ended, nor fallen silent for longer than the patience."""
        slots, settled, seen_ns = open_slots(self._state, now_ns - self._patience_ns)
        return OpenSpans(self._filled(self._waiting.take(slots), settled), settled["caller"].copy(), seen_ns)

    def _room(self, n_new: int) -> Answers:
        n_waiters = min(int(self._state.counts[N_WAITERS]), len(self._state.waiters))
        return empty_answers(n_new + int(self._state.counts[N_SLOTS]), n_waiters)

    def _learn_texts(self, spans: AgentSpans) -> None:
        """Which services may stand for agents, the versions of agents, and the ids of conversations."""
        state, n_texts = self._state, len(self._vocabulary) + 1
        known = len(state.is_service)
        if n_texts > known:
            versions = np.full(n_texts, NO_TEXT, np.uint32)
            versions[:known] = state.versions
            is_service = np.full(n_texts, _NOT_ASKED, np.uint8)
            is_service[:known] = state.is_service
            is_service[NO_TEXT] = 0
            self._state = state = state._replace(versions=versions, is_service=is_service)
        asked = np.zeros(n_texts, np.bool_)
        asked[spans.service] = True
        for code in np.flatnonzero(asked & (state.is_service == _NOT_ASKED)).tolist():
            state.is_service[code] = not self._vocabulary.text(code).startswith(_UNKNOWN_SERVICE)
        versioned = (spans.agent_version != NO_TEXT) & (spans.agent != NO_TEXT)
        state.versions[spans.agent[versioned]] = spans.agent_version[versioned]
        self._texts.learn(np.ascontiguousarray(spans.conversation_key), spans.conversation)

    def _settled(self, spans: AgentSpans, answers: Answers, now_ns: int, *, with_turns: bool = False) -> Settled:
        told = answers.settled[: answers.counts[N_SETTLED]]
        place = told["place"]
        stored = place < 0
        if stored.any():
            parts = [taken(spans, place[~stored]), self._waiting.take(~place[stored])]
            order = np.empty(len(place), np.int64)
            order[np.concatenate([np.flatnonzero(~stored), np.flatnonzero(stored)])] = np.arange(len(place))
            rows = taken(AgentSpans.concat(parts), order) if not stored.all() else parts[1]
        else:
            rows = taken(spans, place)
        rows = self._filled(rows, told)
        self._ledger.enter(told["entry"], rows)
        found = answers.interactions[: answers.counts[N_INTERACTIONS]]
        pairs = self._state.pairs[: self._state.counts[N_PAIRS]]
        self._turns.add_joins(
            found["conversation"], pairs["source"][found["pair"]], pairs["target"][found["pair"]], now_ns
        )
        self._turns.add(answers.turns[: answers.counts[N_TURNS]], now_ns)
        if with_turns:
            found = np.concatenate([found, self._between_turns(now_ns)])
            pairs = self._state.pairs[: self._state.counts[N_PAIRS]]
        corrections = self._ledger.corrections(answers.corrections[: answers.counts[N_CORRECTIONS]])
        return Settled(rows, told["caller"].copy(), told["counted"].copy(), _to_interactions(found, pairs), corrections)

    def _filled(self, rows: AgentSpans, told: Records) -> AgentSpans:
        """With what ancestors say."""
        names = ("agent", "agent_id", "agent_version", "team", "workflow")
        keys = told["conversation"].copy()
        columns: dict[str, Any] = {name: told[name].copy() for name in names}
        return replace(
            rows,
            **columns,
            parent_key=told["parent"].copy(),
            conversation_key=keys,
            conversation=self._texts.column(keys),
        )

    def _between_turns(self, now_ns: int) -> Records:
        before, after = self._turns.due(now_ns)
        found = np.zeros(len(after), INTERACTION)
        kind = int(InteractionType.CONVERSATION)
        for at, (last, turn) in enumerate(zip(before, after, strict=True)):
            versions = (last["version"], turn["version"])
            found["pair"][at] = pair_of(self._state, last["agent"], turn["agent"], kind, versions)
        found["end_ns"], found["duration_ns"] = after["end_ns"], after["end_ns"] - after["start_ns"]
        found["count"], found["is_error"] = 1, after["is_error"]
        return found[found["pair"] > 0]


_NOT_ASKED = 255  # of a text: whether it may be an agent's name


def _facts(spans: AgentSpans) -> Records:
    """The columns that the tables know, as records [n] (FACT)."""
    rows = np.empty(len(spans), FACT)
    rows["key"] = spans.span_key
    for name in _SAME_NAMES:
        rows[name] = getattr(spans, _COLUMN_OF.get(name, name))
    told = (spans.input_tokens >= 0) | (spans.output_tokens >= 0)
    has_cost = ~np.isnan(spans.cost_usd)
    rows["tokens"] = np.maximum(spans.input_tokens, 0) + np.maximum(spans.output_tokens, 0)
    rows["cost_usd"] = np.where(has_cost, spans.cost_usd, 0)
    rows["tells"] = told.astype(np.uint8) | (has_cost.astype(np.uint8) << np.uint8(1))
    rows["says"] = spans.says_something
    rows["first_link"], rows["n_links"] = spans.link_offsets[:-1], np.diff(spans.link_offsets)
    rows["row"], rows["node"] = np.arange(len(spans)), -1
    return rows


def _to_interactions(found: Records, pairs: Records) -> Interactions:
    return Interactions(
        **{name: found[name].copy() for name in INTERACTION.names or () if name != "conversation"},
        **{name: pairs[name].copy() for name in pairs.dtype.names or ()},
    )

"""What detectors look at: the last minutes of one tenant's fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.settings import DetectionSettings
from swarmscope.analysis.agents.row_groups import grouped_rows
from swarmscope.analysis.agents.settled import OpenSpans
from swarmscope.model.agents import INFERENCE_OPERATIONS, NO_TEXT, AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.byte_hash import mix
from swarmscope.model.fleet import Usage

_STEPS = INFERENCE_OPERATIONS | {
    AgentOperation.EXECUTE_TOOL, AgentOperation.RETRIEVAL, AgentOperation.RERANK, AgentOperation.MEMORY,
    AgentOperation.GUARDRAIL, AgentOperation.EVALUATE,
}  # fmt: skip
IS_STEP = np.array([operation in _STEPS for operation in AgentOperation], np.bool_)
IS_INFERENCE = np.array([operation in INFERENCE_OPERATIONS for operation in AgentOperation], np.bool_)


@dataclass(frozen=True)
class FleetWindow:
    """Nothing in it is changed by a detector. A run is a conversation, or a trace that belongs to none."""

    spans: AgentSpans  # settled ones that ended in the last minutes (900 s are meant), in any order
    caller: NDArray[np.uint32]  # [n] the agent that the span's agent works for, NO_TEXT for none
    opened: OpenSpans
    usage: Usage  # of the last hour, by minute and at least by agent
    now_ns: int
    vocabulary: Vocabulary
    settings: DetectionSettings = field(default_factory=DetectionSettings)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """[n] rows by the end of their spans."""
        ends = self.spans.end_ns
        if len(ends) < 2 or bool((ends[1:] >= ends[:-1]).all()):
            return np.arange(len(ends))
        return np.argsort(ends, kind="stable")

    @cached_property
    def run_key(self) -> NDArray[np.uint64]:
        """[n] whose run a span belongs to."""
        return run_keys(self.spans)

    @cached_property
    def run(self) -> NDArray[np.int64]:
        """[n] the same as small numbers."""
        return grouped_rows([self.run_key])[1] if len(self.run_key) else np.zeros(0, np.int64)

    @cached_property
    def is_step(self) -> NDArray[np.bool_]:
        """[n] whether it is work of the agent's own: a call of a model or a tool."""
        return IS_STEP[self.spans.operation]

    @cached_property
    def last_end_ns(self) -> NDArray[np.int64]:
        """[n_texts] when a span of each agent ended last, by its code; 0 for never."""
        return self._last_ends(np.ones(len(self.spans), np.bool_))

    @cached_property
    def last_step_ns(self) -> NDArray[np.int64]:
        """[n_texts] when a step of each agent ended last, by its code; 0 for never."""
        return self._last_ends(self.is_step)

    @cached_property
    def n_codes(self) -> int:
        """One more than the largest code of an agent."""
        columns = (self.spans.agent, self.opened.spans.agent, self.opened.spans.source, self.opened.spans.target)
        return 1 + max(NO_TEXT, *(int(column.max(initial=0)) for column in (*columns, self.caller)))

    def _last_ends(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        ends = np.zeros(self.n_codes, np.int64)
        np.maximum.at(ends, self.spans.agent[rows], self.spans.end_ns[rows])
        return ends

    def name(self, code: int) -> str:
        """An agent's or a tool's name."""
        return self.vocabulary.text(int(code))

    def run_name(self, row: int) -> str:
        """The id of the conversation of a row, or of its trace."""
        return run_name(self.spans, row)


def run_keys(spans: AgentSpans) -> NDArray[np.uint64]:
    """The conversation of each span [n], or its trace; 0 where it has neither."""
    halves = np.ascontiguousarray(spans.trace_id).view(np.uint64)
    return _run_keys(halves, np.ascontiguousarray(spans.conversation_key))


@njit(nogil=True, cache=True)
def _run_keys(halves: NDArray[np.uint64], conversation: NDArray[np.uint64]) -> NDArray[np.uint64]:
    keys = conversation.copy()
    for row in range(len(keys)):
        if keys[row] == 0 and (halves[row, 0] | halves[row, 1]) != 0:
            keys[row] = mix(halves[row, 0], halves[row, 1])
    return keys


def run_name(spans: AgentSpans, row: int) -> str:
    """The id of the conversation of a span, or of its trace."""
    if spans.conversation_key[row]:
        texts = spans.conversation
        start = int(texts.start[row])
        name = texts.buffer[start : start + int(texts.length[row])].tobytes().decode("utf-8", "replace")
        if name:
            return name
    trace: bytes = spans.trace_id[row].tobytes()
    return trace.hex()

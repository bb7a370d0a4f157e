"""What single spans used: usage before it is summed up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.settled import Counted
from swarmscope.model.agents import INFERENCE_OPERATIONS, AgentOperation, AgentSpans, CostSource
from swarmscope.model.fleet import GRAIN_NS, Usage, UsageMeasure
from swarmscope.model.spans import SpanStatus

_NS_PER_S = 1e9
_TOKENS = (
    (UsageMeasure.INPUT_TOKENS, "input_tokens"),
    (UsageMeasure.OUTPUT_TOKENS, "output_tokens"),
    (UsageMeasure.CACHED_TOKENS, "cached_tokens"),
    (UsageMeasure.REASONING_TOKENS, "reasoning_tokens"),
)


def span_usage(spans: AgentSpans, counted: NDArray[np.uint8]) -> Usage:
    """One row for each of the settled spans [n]; `counted` [n] (Counted) says what of it counts."""
    measures = np.zeros((len(spans), len(UsageMeasure)))
    is_inference = np.isin(spans.operation, [int(operation) for operation in INFERENCE_OPERATIONS])
    is_step = counted & Counted.STEP > 0
    measures[:, UsageMeasure.SPANS] = 1
    measures[:, UsageMeasure.ERRORS] = spans.status == SpanStatus.ERROR
    measures[:, UsageMeasure.INFERENCES] = is_step & is_inference
    measures[:, UsageMeasure.TOOL_CALLS] = is_step & (spans.operation == AgentOperation.EXECUTE_TOOL)
    duration_s = np.maximum(spans.end_ns - spans.start_ns, 0) / _NS_PER_S
    measures[:, UsageMeasure.BUSY_S] = np.where(is_step, duration_s, 0)
    has_tokens = counted & Counted.TOKENS > 0
    for measure, name in _TOKENS:
        measures[:, measure] = np.where(has_tokens, np.maximum(getattr(spans, name), 0), 0)
    measures[:, UsageMeasure.COST_USD] = np.where(counted & Counted.COST > 0, np.nan_to_num(spans.cost_usd), 0)
    tokens = measures[:, UsageMeasure.INPUT_TOKENS] + measures[:, UsageMeasure.OUTPUT_TOKENS]
    measures[:, UsageMeasure.UNPRICED_TOKENS] = np.where(spans.cost_source == CostSource.UNKNOWN_MODEL, tokens, 0)
    return Usage(
        minute_ns=spans.end_ns - spans.end_ns % GRAIN_NS,
        agent=spans.agent,
        agent_version=spans.agent_version,
        team=spans.team,
        provider=spans.provider,
        model=spans.model,
        operation=spans.operation,
        tool=spans.tool,
        measures=measures,
    )

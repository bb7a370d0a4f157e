"""Whole traces for an answer: as many spans as an answer may be made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.spans import SpanRows

MAX_WHOLE_SPANS = 250_000


def whole_traces(
    reader: SpanReader, tenant: str, trace_ids: NDArray[np.uint8], budget: ReadBudget, max_spans: int
) -> SpanRows:
    """All spans of the traces [n, TRACE_ID_BYTES].

    Raises LimitExceededError where they have more than `max_spans`: an answer takes kilobytes of memory a span.
    """
    own = ReadBudget(budget.cancellation, min(max_spans, budget.max_samples), max_bytes=budget.max_bytes)
    try:
        return reader.find_traces(tenant, trace_ids, own)
    except LimitExceededError as error:
        if max_spans >= budget.max_samples or "bytes" in (error.limit or ""):
            raise
        raise LimitExceededError(
            f"the traces have more than {max_spans} spans, which is more than an answer holds (query.max_trace_spans)",
            limit="query.max_trace_spans",
        ) from error

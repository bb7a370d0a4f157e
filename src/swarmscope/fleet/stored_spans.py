"""Stored spans as a batch again, so that what was said of agents can be read out of them once more."""

from __future__ import annotations

import numpy as np

from swarmscope.model.contracts import SpanReader
from swarmscope.model.spans import SpanBatch, SpanRows


def to_batch(rows: SpanRows, reader: SpanReader, tenant: str) -> SpanBatch:
    """Spans [n] that were read whole (`SpanColumns.whole`). Raises ValueError where they were not."""
    details = rows.details
    if details is None:
        raise ValueError("the spans were not read whole")
    # Asked after the rows were read: it only grows, so every number is in it.
    resources, scopes = reader.resources(), reader.scopes()
    n = len(rows)
    return SpanBatch(
        resources=resources,
        scopes=scopes,
        resource=rows.resource,
        scope=rows.scope,
        trace_id=rows.trace_id,
        span_id=rows.span_id,
        parent_id=rows.parent_id,
        start_ns=rows.start_ns,
        end_ns=rows.start_ns + rows.duration_ns,
        kind=rows.kind,
        status=rows.status,
        flags=details.flags,
        dropped_attributes=details.dropped_attributes,
        dropped_events=details.dropped_events,
        dropped_links=details.dropped_links,
        name=rows.name,
        status_message=rows.status_message,
        trace_state=details.trace_state,
        attributes=details.attributes,
        events=rows.events,
        links=rows.links,
        keep=details.keep,
        share=np.ones(n, np.float32),
        tenant=tenant,
    )

"""Stored spans of one trace as a family."""

from __future__ import annotations

from swarmscope.model.spans import SpanKind, SpanRows
from swarmscope.model.trace_family import NO_ROW, Family, Member, Oddity, family_of

__all__ = ["NO_ROW", "Family", "Oddity", "to_family"]


def to_family(rows: SpanRows) -> Family:
    """The forest of the spans [n] of one trace, which need their ids, kinds and durations."""
    columns = zip(rows.start_ns.tolist(), rows.duration_ns.tolist(), rows.kind.tolist(), strict=True)
    return family_of([
        Member(
            rows.span_id[row].tobytes(),
            rows.parent_id[row].tobytes() if rows.parent_id[row].any() else b"",
            start_ns,
            duration_ns,
            kind == SpanKind.CLIENT,
            kind == SpanKind.SERVER,
        )
        for row, (start_ns, duration_ns, kind) in enumerate(columns)
    ])  # fmt: skip

"""Batches of a reader against a query's budget."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import SpanRows


def metered(source: Iterator[SpanRows], budget: ReadBudget, *, keeps: bool = False) -> Generator[SpanRows, None, None]:
    """The batches that have spans. One counts until the next is asked for, and with `keeps` for good.

    Readers differ in when they let a batch go, so what is held is set here, whatever they say.
    """
    held = budget.used_samples
    try:
        for rows in source:
            budget.cancellation.check()
            budget.used_samples = held + len(rows)
            if keeps:
                held = budget.used_samples
            if len(rows):
                yield rows
    finally:
        # A reader that is stopped early lets its batch go while it closes.
        if isinstance(source, Generator):
            source.close()
        budget.used_samples = held

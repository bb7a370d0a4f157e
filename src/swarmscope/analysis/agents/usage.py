"""What agents did and used, by the minute."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from swarmscope.analysis.agents.row_groups import grouped_rows, summed_by
from swarmscope.analysis.agents.settled import Settled
from swarmscope.analysis.agents.usage_rows import span_usage
from swarmscope.model.fleet import Usage

_KEYS = tuple(field.name for field in fields(Usage) if field.name != "measures")


def to_usage(settled: Settled) -> Usage:
    """What is to be ADDED to the usage of the minutes in which the spans ended; no tokens and no money twice."""
    parts = [span_usage(settled.spans, settled.counted), settled.corrections]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _KEYS}
    firsts, group = grouped_rows(list(columns.values()))
    sums = summed_by(group, len(firsts), np.concatenate([part.measures for part in parts]))
    return Usage(**{name: column[firsts] for name, column in columns.items()}, measures=sums)

"""`| drop` and `| keep`: labels go.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#drop-labels-expression
"""

from __future__ import annotations

import numpy as np

from swarmscope.model.matchers import Matcher
from swarmscope.query.logql.blocks import ERROR, ERROR_DETAILS, LineBlock
from swarmscope.query.logql.formats import all_names
from swarmscope.query.logql.label_filters import matching

_SPECIAL = frozenset({ERROR, ERROR_DETAILS})


def drop_labels(block: LineBlock, labels: tuple[str | Matcher, ...]) -> None:
    """Take labels off: every one that is named, and with a matcher where the value matches."""
    for each in labels:
        if isinstance(each, Matcher):
            block.drop_label(each.name, matching(block.label(each.name), each))
        else:
            block.drop_label(each, np.ones(len(block), np.bool_))


def keep_labels(block: LineBlock, labels: tuple[str | Matcher, ...]) -> None:
    """Take all labels off but those that are named, or whose value matches; errors stay."""
    n = len(block)
    for name in all_names(block) - _SPECIAL:
        kept = np.zeros(n, np.bool_)
        for each in labels:
            if isinstance(each, Matcher) and each.name == name:
                kept |= matching(block.label(name), each)
            elif each == name:
                kept[:] = True
        if not kept.all():
            block.drop_label(name, ~kept)

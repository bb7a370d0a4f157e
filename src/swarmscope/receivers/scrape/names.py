"""Metric and label names: Prometheus' UTF-8 and legacy validation.

Source: https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

ValidationScheme = Literal["utf8", "legacy"]
EscapingScheme = Literal["allow-utf-8", "underscores", "dots", "values"]

_LEGACY_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LEGACY_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def is_legacy_metric_name(name: str) -> bool:
    """Whether `name` needs no quotes as a metric name."""
    return _LEGACY_METRIC.fullmatch(name) is not None


# Label names repeat from series to series.
@lru_cache(maxsize=4096)
def is_legacy_label_name(name: str) -> bool:
    """Whether `name` needs no quotes as a label name."""
    return _LEGACY_LABEL.fullmatch(name) is not None


def is_valid_metric_name(name: str, scheme: ValidationScheme) -> bool:
    """Whether `name` may name a metric under `scheme`."""
    return is_legacy_metric_name(name) if scheme == "legacy" else bool(name)


def is_valid_label_name(name: str, scheme: ValidationScheme) -> bool:
    """Whether `name` may name a label under `scheme`."""
    return is_legacy_label_name(name) if scheme == "legacy" else bool(name)


def are_valid_label_names(names: Collection[str], scheme: ValidationScheme) -> bool:
    """Whether each of `names` may name a label under `scheme`."""
    return all(map(is_legacy_label_name, names)) if scheme == "legacy" else "" not in names

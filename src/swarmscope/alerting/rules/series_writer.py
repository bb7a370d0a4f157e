"""Series that rules make: values by label set, with the end of those that are no longer made."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np

from swarmscope.model.contracts import Receipt, SeriesIndex, Sink
from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.staleness import STALE_NAN

LabelSet = tuple[tuple[str, str], ...]


def label_set(labels: Mapping[str, str], name: str) -> LabelSet:
    """Labels as a key, with the metric's name; empty values are no labels."""
    return tuple(sorted((key, value) for key, value in {**labels, METRIC_NAME: name}.items() if value))


class SeriesWriter:
    """Writes values of one tenant's rules to a sink."""

    def __init__(self, sink: Sink, index: SeriesIndex, tenant: str) -> None:
        self._sink, self._index, self._tenant = sink, index, tenant
        self._salt = b"rules" + index.seed.to_bytes(8, "little")

    def write(self, values: Mapping[LabelSet, float], ended: set[LabelSet], at_ms: int) -> Receipt:
        """Write values, and staleness markers for series that ended. Raises what the sink raises."""
        sets = [*values, *ended]
        if not sets:
            return Receipt()
        keys = np.array([self._key(each) for each in sets], np.uint64)
        refs = self._index.resolve(self._tenant, keys)
        n = len(sets)
        return self._sink.write_metrics(
            MetricBatch(
                keys,
                refs,
                LabelSets.from_dicts(dict(sets[at]) for at in np.flatnonzero(refs == UNKNOWN_SERIES).tolist()),
                np.arange(n),
                np.full(n, at_ms, np.int64),
                np.array([*values.values(), *[STALE_NAN] * len(ended)]),
                tenant=self._tenant,
            )
        )

    def _key(self, labels: LabelSet) -> int:
        digest = blake2b(repr(labels).encode(), digest_size=8, key=self._salt).digest()
        return int.from_bytes(digest, "little") or 1

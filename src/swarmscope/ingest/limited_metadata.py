"""The sink that bounds what is told of metric families: type, unit and help texts, which are kept for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swarmscope.instrument.metrics import LIMITED_METADATA
from swarmscope.model.contracts import MetricMetadata, Receipt, Sink
from swarmscope.model.metrics import MetadataColumns, MetricBatch

_log = logging.getLogger(__name__)
# Another tenant's set is read from the store when it is needed again.
_REMEMBERED_TENANTS = 1000
_WARNING_PERIOD_S = 60.0
_MAX_NAME_CHARACTERS = 100

# What is known of a tenant's families, by family, as `Reader.metadata` gives it.
Stored = Callable[[str], dict[str, list[MetricMetadata]]]
Entry = tuple[str, str, str, str]  # name, type, unit, help


@dataclass(frozen=True, slots=True)
class MetadataLimits:
    """Limits of one tenant; 0 means no limit."""

    max_metadata_families: int = 0
    max_metadata_bytes: int = 0


class LimitedMetadataSink:
    """Drops metadata that is over a limit, and what is stored already; samples are never refused for it.

    What is dropped is counted and named in the log, not in the receipt: its sender could do nothing about it, and
    would take the samples for lost. Thread-safe.
    """

    def __init__(self, inner: Sink, stored: Stored, limits_for: Callable[[str], MetadataLimits]) -> None:
        self._inner = inner
        self._stored = stored
        self._limits_for = limits_for
        self._lock = threading.Lock()
        self._known: OrderedDict[str, set[int]] = OrderedDict()  # tenant → hashes of entries
        self._arriving: Counter[str] = Counter()  # tenant → entries on their way
        self._warned_s: dict[tuple[str, str], float] = {}

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`."""
        if batch.metadata is None or not len(batch.metadata):
            return self._inner.write_metrics(batch)
        tenant, known = batch.tenant, self._known_of(batch.tenant)
        admitted = self._admit(tenant, known, batch.metadata)
        try:
            batch.metadata = _columns(admitted.values())
            receipt = self._inner.write_metrics(batch) if batch.n_series or admitted else Receipt()
            with self._lock:
                known.update(admitted)
                self._remember(tenant, known)
            return receipt
        finally:
            with self._lock:
                self._arriving[tenant] -= len(admitted)
                if not self._arriving[tenant]:
                    del self._arriving[tenant]

    def _known_of(self, tenant: str) -> set[int]:
        """Hashes of what is stored. Not kept before something is: a forged tenant name must cost nothing."""
        with self._lock:
            known = self._known.get(tenant)
        if known is None:
            found = self._stored(tenant)
            known = {
                hash((name, entry.kind, entry.unit, entry.help)) for name, entries in found.items() for entry in entries
            }
        return known

    def _remember(self, tenant: str, known: set[int]) -> None:
        # Another request of a new tenant may have been first.
        kept = self._known.setdefault(tenant, known)
        if kept is not known:
            kept.update(known)
        self._known.move_to_end(tenant)
        if len(self._known) > _REMEMBERED_TENANTS:
            self._known.popitem(last=False)

    def _admit(self, tenant: str, known: set[int], metadata: MetadataColumns) -> dict[int, Entry]:
        """The new entries that are within the limits, by hash; they are on their way from now on."""
        limits = self._limits_for(tenant)
        admitted: dict[int, Entry] = {}
        too_long: list[str] = []
        too_many: list[str] = []
        with self._lock:
            room = limits.max_metadata_families - len(known) - self._arriving[tenant]
            for entry in zip(metadata.metric, metadata.kind, metadata.unit, metadata.help, strict=True):
                key = hash(entry)
                if key in known or key in admitted:
                    continue
                if limits.max_metadata_bytes and _n_bytes(entry) > limits.max_metadata_bytes:
                    too_long.append(entry[0])
                elif limits.max_metadata_families and len(admitted) >= room:
                    too_many.append(entry[0])
                else:
                    admitted[key] = entry
            self._arriving[tenant] += len(admitted)
        self._tell(tenant, "limits.max_metadata_bytes", limits.max_metadata_bytes, too_long)
        self._tell(tenant, "limits.max_metadata_families", limits.max_metadata_families, too_many)
        return admitted

    def _tell(self, tenant: str, setting: str, value: int, dropped: list[str]) -> None:
        if not dropped:
            return
        LIMITED_METADATA.labels(limit=setting).inc(len(dropped))
        now_s = time.monotonic()
        with self._lock:
            if now_s - self._warned_s.get((tenant, setting), -_WARNING_PERIOD_S) < _WARNING_PERIOD_S:
                return
            if len(self._warned_s) > _REMEMBERED_TENANTS:
                self._warned_s.clear()
            self._warned_s[tenant, setting] = now_s
        _log.warning(
            "%s is %d: type, unit and help of %d metric families of tenant %r were dropped, such as those of %r",
            setting, value, len(dropped), tenant, dropped[0][:_MAX_NAME_CHARACTERS],
        )  # fmt: skip


def _n_bytes(entry: Entry) -> int:
    return sum(len(text.encode()) for text in entry)


def _columns(entries: Iterable[Entry]) -> MetadataColumns | None:
    rows = list(entries)
    if not rows:
        return None
    names, kinds, units, helps = ([row[field] for row in rows] for field in range(4))
    return MetadataColumns(names, kinds, units, helps)

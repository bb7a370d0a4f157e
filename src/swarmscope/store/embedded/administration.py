"""What an administrator may do to stored metrics: delete series, free their space, copy everything."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import UnavailableError
from swarmscope.model.matchers import Matcher
from swarmscope.schema.rollups import (
    FIVE_MINUTES_MS,
    RESOLUTIONS_MS,
    ROLLUP_5M,
    ROLLUP_TABLES,
    TOUCHED,
    rollup_name,
)
from swarmscope.schema.tables import TIMED_METRIC_TABLES
from swarmscope.store.embedded.store import EmbeddedStore
from swarmscope.store.embedded.upkeep import forget_series

# Numbers of series in one statement; more are deleted in several.
_REFS_PER_STATEMENT = 10_000
_FLUSH_TIMEOUT_S = 60.0
_I64 = np.iinfo(np.int64)


class MetricAdministration:
    """Deletion and copies of the embedded store; every call blocks until it is done."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    def delete_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> None:
        """Delete what matching series have in the closed range; they stay known only if something is left.

        Raises UnavailableError when what was acknowledged cannot be brought into parts first.
        """
        store = self._store
        if not store.flush(_FLUSH_TIMEOUT_S):
            raise UnavailableError("the store is behind with writing parts")
        refs = store.catalogue.select_series(tenant, matchers, start_ms, end_ms).refs
        start_ms, end_ms = max(start_ms, _I64.min // 2), min(end_ms, _I64.max // 2)
        for begin in range(0, len(refs), _REFS_PER_STATEMENT):
            self._delete(refs[begin : begin + _REFS_PER_STATEMENT], start_ms, end_ms)
        store.forget_cache()

    def _delete(self, refs: NDArray[np.int64], start_ms: int, end_ms: int) -> None:
        engine = self._store.engine
        metrics = ", ".join(map(str, np.unique(self._store.catalogue.metric_ids(refs)).tolist()))
        series = f"metric_id IN ({metrics}) AND ref IN ({', '.join(map(str, refs.tolist()))})"
        for table in TIMED_METRIC_TABLES:
            engine.administer(f"DELETE FROM {table.name} WHERE {series} AND ts >= {start_ms} AND ts <= {end_ms}")
        # Buckets at the edges are made again from what is left of their samples.
        engine.administer(
            f"INSERT INTO {TOUCHED.name} SELECT DISTINCT metric_id, bucket, now64(3) FROM {ROLLUP_5M.name} "
            f"WHERE {series} AND bucket >= {start_ms} AND bucket < {end_ms + FIVE_MINUTES_MS}"
        )
        for resolution_ms in RESOLUTIONS_MS:
            engine.administer(
                f"DELETE FROM {rollup_name(resolution_ms)} WHERE {series} "
                f"AND bucket >= {start_ms} AND bucket < {end_ms + resolution_ms}"
            )
        self._forget_emptied(refs, series)

    def _forget_emptied(self, refs: NDArray[np.int64], series: str) -> None:
        store = self._store
        for table in TIMED_METRIC_TABLES:
            left = store.engine.columns(f"SELECT DISTINCT ref FROM {table.name} WHERE {series}")
            if left:
                refs = np.setdiff1d(refs, left["ref"].astype(np.int64))
        forget_series(refs, store.engine, store.catalogue, store.sink)

    def clean_tombstones(self) -> None:
        """Rewrite parts without the rows that were deleted."""
        for table in (*TIMED_METRIC_TABLES, *ROLLUP_TABLES):
            self._store.engine.administer(f"ALTER TABLE {table.name} APPLY DELETED MASK SETTINGS mutations_sync = 1")

    def snapshot(self, *, skip_head: bool) -> str:
        """Back everything up to `DIR/snapshots/NAME` (ClickHouse's BACKUP form); returns NAME.

        With `skip_head`, what is not in parts yet is left out.
        """
        store = self._store
        if not skip_head and not store.flush(_FLUSH_TIMEOUT_S):
            raise UnavailableError("the store is behind with writing parts")
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}"
        target: Path = store.snapshot_folder / name
        quoted = str(target).replace("\\", "\\\\").replace("'", "\\'")
        store.engine.administer(f"BACKUP DATABASE default TO File('{quoted}')")
        return name

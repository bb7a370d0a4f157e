"""Notifications as log lines: who was told of what, and what became of it. LogQL and the API query them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import orjson

from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.contracts import LogSink, SeriesIndex
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

if TYPE_CHECKING:  # it needs nothing of delivery but the shape
    from swarmscope.alerting.delivery.house import Told

_log = logging.getLogger(__name__)
EVENT_NAME = "alert.notification"
STREAM = {"service_name": "swarmscope"}
_ERROR, _INFO = 17, 9  # OpenTelemetry's severity numbers
_STREAM_BYTES = np.frombuffer(b"swarmscope.alerting notifications", np.uint8)
# More wait while the store takes nothing; the history then has a hole, and notifications go on.
_MAX_WAITING, _MAX_BATCH = 10_000, 500
_MAX_ALERTS = 20  # of a group, by their labels


class ToldHistory:
    """Writes lines on a thread of its own: who tells receivers waits for no store."""

    def __init__(self, sink: LogSink, index: SeriesIndex) -> None:
        self._sink, self._index = sink, index
        self._waiting: queue.Queue[Told | None] = queue.Queue(_MAX_WAITING)

    def take(self, told: Told) -> None:
        """Write it soon. Thread-safe; never blocks and never raises."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(told)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write while the context lives; what waits when it ends is written."""
        thread = threading.Thread(target=self._run, name="told-history", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._waiting.put(None)
            thread.join()

    def _run(self) -> None:
        while (told := self._waiting.get()) is not None:
            batch, is_last = [told], False
            with contextlib.suppress(queue.Empty):
                while len(batch) < _MAX_BATCH and not is_last:
                    following = self._waiting.get_nowait()
                    is_last = following is None
                    batch += [] if following is None else [following]
            self._write(batch)
            if is_last:
                return

    def _write(self, batch: Sequence[Told]) -> None:
        by_tenant: dict[str, list[Told]] = {}
        for told in batch:
            by_tenant.setdefault(told.notification.alerts[0].tenant, []).append(told)
        for tenant, each in by_tenant.items():
            try:
                self._sink.write_logs(to_lines(each, self._index, tenant))
            except Exception as error:  # the history has a hole; who was told was told
                _log.warning("%d notifications are not in the history: %s", len(each), error)


def to_lines(told: Sequence[Told], index: SeriesIndex, tenant: str) -> LogBatch:
    """One line for each [n], of one tenant."""
    n = len(told)
    key = np.array(
        [max(hash_bytes(_STREAM_BYTES.ctypes.data, len(_STREAM_BYTES), np.uint64(index.seed)), 1)], np.uint64
    )
    ref = index.resolve(tenant, key)
    failed = np.array([bool(each.error) for each in told], np.bool_)
    at_ns = np.array([each.at_ns for each in told], np.int64)
    return LogBatch(
        stream_key=key,
        stream_ref=ref,
        new_labels=LabelSets.from_dicts([STREAM] if ref[0] == UNKNOWN_SERIES else []),
        stream=np.zeros(n, np.int64),
        ts_ns=at_ns + np.arange(n),
        line=Utf8Column.from_strings([_to_json(each) for each in told]),
        metadata=LabelSets.from_dicts(_to_metadata(each) for each in told),
        level=np.where(failed, Level.ERROR, Level.INFO).astype(np.uint8),
        severity=np.where(failed, _ERROR, _INFO).astype(np.uint8),
        observed_ns=at_ns,
        trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        tenant=tenant,
    )


def _to_json(told: Told) -> str:
    notification = told.notification
    return orjson.dumps(
        {
            "id": notification.id, "receiver": notification.receiver, "integration": told.integration,
            "outcome": "failed" if told.error else "sent", "error": told.error, "reason": notification.reason.value,
            "status": notification.status, "group_key": notification.group_key,
            "group_labels": dict(notification.group_labels), "firing": len(notification.firing),
            "resolved": len(notification.resolved),
            "alerts": [dict(alert.labels) for alert in notification.alerts[:_MAX_ALERTS]],
        }
    ).decode()  # fmt: skip


def _to_metadata(told: Told) -> dict[str, str]:
    return {
        "event_name": EVENT_NAME,
        "notification_receiver": told.notification.receiver,
        "notification_integration": told.integration,
        "notification_outcome": "failed" if told.error else "sent",
    }

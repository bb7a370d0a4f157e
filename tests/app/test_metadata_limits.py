"""Metadata of every protocol goes through the same limits; repeats of remote write 1.0 are written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from swarmscope.app.settings import Settings
from swarmscope.app.stages.writing import WritePath
from swarmscope.model.contracts import Receipt
from swarmscope.model.metrics import MetricBatch
from swarmscope.receivers.remote_write.routes import RemoteWriteReceiver
from swarmscope.receivers.remote_write.schema import V1, message_class
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings


@dataclass
class Commit:
    """Knows every series, keeps batches."""

    batches: list[MetricBatch] = field(default_factory=list)
    seed = 7

    def resolve(self, tenant: str, keys: np.ndarray) -> np.ndarray:
        return np.zeros(len(keys), np.int64)

    def active_total(self, tenant: str | None = None) -> int:
        return 1

    def active_of_metric(self, tenant: str, metric: str) -> int:
        return 1

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        self.batches.append(batch)
        return Receipt(samples=batch.n_samples)


async def unused(*_: Any) -> Any:
    raise AssertionError


def receiver(tmp_path, commit: Commit, **limits: Any) -> RemoteWriteReceiver:
    settings = Settings(data=tmp_path, limits=limits)
    path = WritePath(settings, commit, commit, lambda tenant: {})
    return RemoteWriteReceiver(RemoteWriteSettings(), path.entry("remote_write"), commit, unused)


def body(*families: tuple[str, str]) -> bytes:
    request = message_class(V1)()
    entry = request.timeseries.add()
    entry.labels.add(name="__name__", value="up")
    entry.samples.add(timestamp=1000, value=1.0)
    for name, text in families:
        request.metadata.add(type=1, metric_family_name=name, help=text)
    return request.SerializeToString()


def told(commit: Commit) -> list[str]:
    return [name for batch in commit.batches if batch.metadata is not None for name in batch.metadata.metric]


def test_repeats_of_version_1_are_written_once(tmp_path) -> None:
    commit = Commit()
    receiving = receiver(tmp_path, commit)
    for _ in range(3):
        outcome = receiving.process(body(("a_total", "A"), ("b_total", "B")), V1, "identity", "default")
        assert outcome.receipt.samples == 1
    assert told(commit) == ["a_total", "b_total"]
    assert len(commit.batches) == 3


def test_settings_and_those_of_a_tenant(tmp_path) -> None:
    commit = Commit()
    own = {"max_metadata_families": 2, "max_metadata_bytes": 100}
    receiving = receiver(tmp_path, commit, max_metadata_families=1, tenants={"team": own})
    families = (("a", "A"), ("b", "x" * 200), ("c", "C"), ("d", "D"))
    for tenant, expected in (("default", ["a"]), ("team", ["a", "c"])):
        commit.batches.clear()
        outcome = receiving.process(body(*families), V1, "identity", tenant)
        assert (outcome.receipt.samples, outcome.receipt.refused) == (1, {})
        assert told(commit) == expected

"""Which streams a request's lines belong to: known ones by their wire keys, and labels of those never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES

SERVICE_NAME, UNKNOWN_SERVICE = "service_name", "unknown_service"
# Source: https://grafana.com/docs/loki/latest/configure/#limits_config (discover_service_name).
DISCOVER_SERVICE_NAME = (
    "service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name",
    "k8s_container_name", "component", "workload", "job", "k8s_job_name",
)  # fmt: skip


class Streams(NamedTuple):
    """Distinct streams as a `LogBatch` has them, and which one each source of the request means."""

    key: NDArray[np.uint64]  # [n_streams]
    ref: NDArray[np.int64]  # [n_streams]
    new_labels: LabelSets  # [count of ref == UNKNOWN_SERIES]
    place: NDArray[np.int64]  # [n_sources] number of the stream, -1 where its labels are refused
    refused: dict[int, str]  # why, by the first source of each refused key


def with_service_name(labels: Mapping[str, str], discover: Iterable[str]) -> dict[str, str]:
    """Labels with `service_name`, taken from the first label of `discover` that is there; as they are for none."""
    found = dict(labels)
    names = tuple(discover)
    if names and SERVICE_NAME not in found:
        found[SERVICE_NAME] = next((found[name] for name in names if found.get(name)), UNKNOWN_SERVICE)
    return found


def resolve_streams(
    index: SeriesIndex, tenant: str, source_key: NDArray[np.uint64], make_labels: Callable[[int], dict[str, str]]
) -> Streams:
    """Look up the streams of n sources; `make_labels(source)` is asked for those that are unknown.

    It raises ValueError where the source has no labels that a stream can have.
    """
    keys, first, number = np.unique(source_key, return_index=True, return_inverse=True)
    refs = index.resolve(tenant, keys)
    good = np.ones(len(keys), np.bool_)
    labels: list[dict[str, str]] = []
    refused: dict[int, str] = {}
    for stream in np.flatnonzero(refs == UNKNOWN_SERIES).tolist():
        source = int(first[stream])
        try:
            labels.append(make_labels(source))
        except ValueError as error:
            good[stream] = False
            refused[source] = str(error)
    place = np.where(good, np.cumsum(good) - 1, -1).astype(np.int64)
    taken = place[number.reshape(-1)] if len(keys) else np.zeros(0, np.int64)
    return Streams(keys[good], refs[good], LabelSets.from_dicts(labels), taken, refused)

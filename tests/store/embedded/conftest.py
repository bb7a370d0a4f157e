import math
import os
import time
from functools import partial

import numpy as np
import pytest

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import LabelSets
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.new_folders import copy_new_folder

ALL_TIME = (-(1 << 61), 1 << 61)


class SystemClock:
    def now_ns(self):
        return time.time_ns()


class Unhurried:
    remaining_s = math.inf

    def check(self):
        pass


def budget(max_samples=10**9):
    return ReadBudget(Unhurried(), max_samples)


def batch_of(samples, **more):
    """`samples`: list of (labels, ts_ms, value)."""
    sets = list({tuple(sorted(labels.items())): labels for labels, _, _ in samples}.values())
    position = {tuple(sorted(labels.items())): i for i, labels in enumerate(sets)}
    return MetricBatch(
        series_key=np.array([hash(key) & 0xFFFFFFFFFFFFFFFF for key in position], np.uint64),
        series_ref=np.full(len(sets), UNKNOWN_SERIES, np.int64),
        new_labels=LabelSets.from_dicts(sets),
        sample_series=np.array([position[tuple(sorted(labels.items()))] for labels, _, _ in samples], np.int64),
        ts_ms=np.array([ts for _, ts, _ in samples], np.int64),
        value=np.array([value for _, _, value in samples], np.float64),
        **more,
    )


def read_all(store, metric=None, time_range=ALL_TIME, tenant="default"):
    """{labels as sorted tuple: [(ts, value)]}"""
    matchers = [] if metric is None else [Matcher("__name__", MatchOperator.EQUAL, metric)]
    selection = store.reader.select_series(tenant, matchers, *time_range)
    columns = store.reader.read_samples(selection, *time_range, budget())
    out = {}
    for p in range(len(selection.refs)):
        labels = {
            name: store.reader.symbols.text(int(selection.labels.codes[k, p]))
            for k, name in enumerate(selection.labels.names)
            if selection.labels.codes[k, p] >= 0
        }
        rows = slice(columns.offsets[p], columns.offsets[p + 1])
        points = list(zip(columns.ts_ms[rows].tolist(), columns.value[rows].tolist(), strict=True))
        if points:
            out[tuple(sorted(labels.items()))] = points
    return out


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture(scope="session")
def copy_new(tmp_path_factory):
    """Makes a folder as a first start leaves it."""
    kept = tmp_path_factory.getbasetemp()
    # The folder above is that of all workers.
    return partial(copy_new_folder, kept=kept.parent if "PYTEST_XDIST_WORKER" in os.environ else kept)


@pytest.fixture
def open_store(folder, copy_new):
    opened = []

    def open_(**settings):
        settings.setdefault("metrics_retention_s", None)
        if not folder.exists():
            copy_new(folder)
        store = EmbeddedStore(StoreSettings(folder, **settings), SystemClock())
        opened.append(store)
        return store

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()

"""Brain states out of the spans that tell of modules, over the real store."""

import time

import numpy as np
import pytest
from tests.store.embedded.spans.span_cases import S, span, span_batch
from tests.store.new_folders import WallClock

from swarmscope.intelligence.brain_window import BrainSource
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

T_NS = time.time_ns() // S * S - 1000 * S


def state(number, levels, at_s):
    """One span a module below a span of the state's own."""
    parent = number.to_bytes(8, "big")
    return [
        span(1000 * number + at, T_NS + at_s * S + at, name=f"module {name}", parent_id=parent,
             attributes={"module.name": name, "module.activity": level})
        for at, (name, level) in enumerate(levels.items(), 1)
    ]  # fmt: skip


@pytest.fixture
def source(tmp_path):
    settings = StoreSettings(tmp_path / "data", metrics_retention_s=None, spans=SpanStoreSettings(None))
    store = EmbeddedStore(settings, WallClock())
    told = [
        *state(3, {"b": 0.25, "a": 2}, 30), *state(1, {"a": 1, "b": 0.5}, 10), *state(2, {"a": 0.75, "b": 0}, 20),
        *state(4, {"a": 1}, 40), *state(5, {"a": "much", "b": 1.0}, 50),
        span(9, T_NS, attributes={"other": 1}),
    ]  # fmt: skip
    store.span_sink.write_spans(span_batch(told))
    yield BrainSource(store.span_reader)
    store.close()


def test_states_that_tell_of_every_module(source):
    found = source.brain_window("default", (T_NS, T_NS + 100 * S), 1000)
    assert found.names == ("a", "b")
    assert found.levels.tolist() == [[1, 0.5], [0.75, 0], [2, 0.25]]
    assert (found.time_ns - T_NS).tolist() == [10 * S + 1, 20 * S + 1, 30 * S + 1]
    assert found.bin_ns == 10 * S
    assert found.of_modules(("b",)).levels.tolist() == [[0.5], [0], [0.25]]
    nothing = source.brain_window("other", (T_NS, T_NS + 100 * S), 1000)
    assert (nothing.names, np.shape(nothing.levels), nothing.bin_ns) == ((), (0, 0), 1)

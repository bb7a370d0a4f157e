"""Queries that ask for more than there is end as refusals, before anything is made."""

import pytest

from swarmscope.model.errors import LimitExceededError
from swarmscope.query.promql import EngineSettings, PromqlEngine, QueryRequest
from swarmscope.query.promql.memory_reader import MemoryReader

NOW_MS = 1_700_000_000_000


def _ask(query):
    reader = MemoryReader()
    reader.add({"__name__": "up", "a": "0123456789"}, [(NOW_MS, 1.0)])
    engine = PromqlEngine(reader, EngineSettings(max_samples=1_000_000))
    return engine.query_instant(QueryRequest(query, NOW_MS, NOW_MS))


def _doubled(call, times):
    text = "up"
    for _ in range(times):
        text = call.format(text)
    return text


@pytest.mark.parametrize("inner", ["vector(1)", "time()", "up", "sum(up)", "max_over_time(up[1y:1ms])"])
def test_steps_of_a_subquery(inner):
    wrapped = f"vector({inner})" if inner == "time()" else inner
    with pytest.raises(LimitExceededError):
        _ask(f"count_over_time({wrapped}[1y:1ms])")


@pytest.mark.parametrize(
    "call",
    ['label_replace({}, "a", "$1$1", "a", "(.*)")', 'label_join({}, "a", "", "a", "a")'],
    ids=["replace", "join"],
)
def test_labels_that_double(call):
    with pytest.raises(LimitExceededError, match="characters"):
        _ask(_doubled(call, 60))
    result = _ask(_doubled(call, 3))
    assert result.values.shape == (1, 1)

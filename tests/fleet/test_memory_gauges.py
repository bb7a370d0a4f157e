"""Memory that agents tell under other labels than ours."""

from __future__ import annotations

import numpy as np

from swarmscope.fleet.memory_gauges import MemoryGauges
from swarmscope.fleet.series import Moment, Publication
from swarmscope.fleet.settings import AGENT_LABELS
from swarmscope.model.staleness import STALE_NAN, is_stale
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.testing.sinks import RecordingSink

NOW_MS = 1_000_000


def add(reader: MemoryReader, name: str, value: float, ts_ms: int = NOW_MS - 1000, **told: str) -> None:
    reader.add({"__name__": name, **told}, [(ts_ms - 1000, 0.0), (ts_ms, value)])


def refresh(gauges: MemoryGauges, sink: RecordingSink, now_ms: int = NOW_MS) -> dict[tuple[str, str], float | str]:
    gauges.refresh("default", now_ms)
    before = len(sink.samples())
    publication = Publication([gauges.table], sink.index, "default", Moment(now_ms, now_ms - 1))
    sink.write_metrics(publication.batch)
    publication.written()
    return {(own["__name__"], own["agent_name"]): "stale" if is_stale(np.array([value]))[0] else value
            for own, _, value in sink.samples()[before:]}  # fmt: skip


def test_copies_are_made_where_the_label_is_another_one() -> None:
    reader, sink = MemoryReader(), RecordingSink()
    gauges = MemoryGauges(reader, AGENT_LABELS, 100, 7)
    add(reader, "agi_memory_usage_bytes", 10.0, gen_ai_agent_name="a", instance="1")
    add(reader, "agi_memory_usage_bytes", 5.0, gen_ai_agent_name="a", instance="2")
    add(reader, "agi_memory_limit_bytes", 100.0, gen_ai_agent_name="a")
    add(reader, "agi_memory_usage_bytes", 7.0, agent_name="b")  # as we want it
    add(reader, "agi_memory_usage_bytes", 7.0, gen_ai_agent_name="b")
    add(reader, "agi_memory_usage_bytes", 9.0, instance="3")  # nobody's
    add(reader, "agi_memory_usage_bytes", float(STALE_NAN), gen_ai_agent_name="c")
    add(reader, "agi_memory_usage_bytes", 9.0, NOW_MS - 400_000, gen_ai_agent_name="d")
    copies = {("agi_memory_usage_bytes", "a"): 15.0, ("agi_memory_limit_bytes", "a"): 100.0}
    assert refresh(gauges, sink) == copies
    # What we wrote ourselves is read back, and is no reason to end it.
    add(reader, "agi_memory_usage_bytes", 15.0, agent_name="a")
    assert refresh(gauges, sink, NOW_MS + 5000) == copies
    assert set(refresh(gauges, sink, NOW_MS + 900_000).values()) == {"stale"}

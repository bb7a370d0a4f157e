"""Whose work one span is, asked by its key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.fleet.watched import Watched, span

from swarmscope.model.span_keys import span_keys
from swarmscope.testing.plain_spans import span_id, trace_id


def key_of(number: int) -> int:
    ids = (np.frombuffer(each, np.uint8).reshape(1, -1) for each in (trace_id(1), span_id(number)))
    return int(span_keys(99, *ids)[0])


def test_agents_are_inherited_and_what_waits_is_not_known(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.send(
        span(2, parent=1, service="unknown_service"),
        span(3, "chat", parent=2, service="unknown_service"),
        span(9, parent=8, service="unknown_service"),
    )
    watched.step()
    assert [watched.watch.agent_of("t", key_of(number)) for number in (1, 2, 3, 9)] == [None] * 4
    watched.send(span(1, "invoke_agent", agent="ada"))
    watched.step()
    assert [watched.watch.agent_of("t", key_of(number)) for number in (1, 2, 3)] == ["ada"] * 3
    assert watched.watch.agent_of("t", key_of(9)) is None
    assert watched.watch.agent_of("other", key_of(1)) is None

"""The watch over the real store: what it tells before it is written, after, and in the next process."""

from __future__ import annotations

from pathlib import Path

from tests.fleet.test_watch import WORK
from tests.fleet.watched import NS, START_NS, Watched

from swarmscope.fleet.judgement import Rules
from swarmscope.model.fleet import Finding, FindingKind
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

END_NS = START_NS + 60 * NS


def test_the_answers_are_the_same_before_and_after_they_are_stored(tmp_path: Path) -> None:
    found = Finding("f1", FindingKind.CYCLE, ("ada", "bob"), START_NS, 0, 0.5, "round and round", {"spans": [1, 2]})
    watched = Watched(tmp_path, rules=Rules(detect=lambda window: [found]))
    settings = StoreSettings(
        tmp_path / "data", metrics_retention_s=None, spans=SpanStoreSettings(retention_s=None),
        vocabulary=watched.vocabulary,
    )  # fmt: skip
    store = EmbeddedStore(settings, watched.clock)
    try:
        watched.store = store.fleet  # type: ignore[assignment]
        watched.again()
        watched.send(*WORK)
        watched.step(1)
        before = told(watched)
        assert [edge.count for edge in before[0].edges] == [1]
        watched.run(12)
        assert store.fleet.read_edges("t", START_NS, END_NS).measures[:, 0].tolist() == [1]
        assert told(watched) == before
        watched.again()
        watched.watch.recover()
        watched.run(12)
        assert told(watched) == before
        ada, bob = watched.view.agents("t")
        assert (ada.record.first_seen_ns, bob.record.model) == (START_NS, "m2")
        assert {one.begin_ns for one in watched.view.findings("t", START_NS, END_NS)} == {START_NS}
    finally:
        store.close()


def told(watched: Watched) -> tuple:
    view = watched.view
    return view.graph("t", START_NS, END_NS), view.conversation("t", "c1"), view.conversations("t", 0, END_NS)

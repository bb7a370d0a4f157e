"""CPU seconds of a round of many rules over the embedded store, in this process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.group import GroupTiming, LiveGroup, Outlets
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_files import parse_rules
from swarmscope.alerting.rules.rule_state import KeptAlerts
from swarmscope.alerting.rules.series_writer import SeriesWriter, label_set
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.app.clock import SystemClock
from swarmscope.model.alerts import Alert
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.settings import EngineSettings
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.store.state.sqlite_state import SqliteState

_N_METRICS, _SERIES, _N_GROUPS, _INTERVAL_S = 1000, 100, 100, 30
_TENANT = "default"
_FORMS = (
    "m{m} > 2", "sum by (pod) (m{m}) > 500", "avg(m{m}) > 2", "max by (zone) (m{m}) > 2", "count(m{m} > 2) > 0",
    "rate(m{m}[2m]) > 9", "avg_over_time(m{m}[1m]) > 2", "min(m{m}) < -1", "m{m}{{zone=\"z1\"}} > 3",
    "sum(rate(m{m}[1m])) by (zone) > 99",
)  # fmt: skip


class _Nobody:
    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """Nobody is told."""


def rule_costs() -> None:
    """10,000 rules, ten for each of 1,000 metrics of 100 series, in 100 groups."""
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(StoreSettings(Path(folder) / "data", metrics_retention_s=None), SystemClock())
        state = SqliteState(Path(folder))
        try:
            _measure(store, state)
        finally:
            store.close()
            state.close()


def _measure(store: EmbeddedStore, state: SqliteState) -> None:
    writer = SeriesWriter(store.sink, store.index, _TENANT)
    now_ms = time.time_ns() // 1_000_000
    sets = [
        [label_set({"pod": f"p{at}", "zone": f"z{at % 4}"}, f"m{metric}") for at in range(_SERIES)]
        for metric in range(_N_METRICS)
    ]
    for back in range(5, 0, -1):
        writer.write({each: (hash(each) + back) % 97 / 97 for of in sets for each in of}, set(), now_ms - 15_000 * back)
    text = "groups:\n"
    per_group = _N_METRICS // _N_GROUPS
    for group in range(_N_GROUPS):
        text += f"- name: g{group}\n  rules:\n"
        for metric in range(group * per_group, (group + 1) * per_group):
            for at, form in enumerate(_FORMS):
                text += f"  - {{alert: A{metric}x{at}, expr: '{form.format(m=metric)}'}}\n"
    groups = parse_rules(text, "bench.yml")
    outlets = Outlets(
        _Nobody(), writer, AlertHistory(store.log_sink, store.log_index, _TENANT), KeptAlerts(state), FiringMemory()
    )
    timing, settings = GroupTiming(_INTERVAL_S * 1000, 0), EvaluationSettings(_TENANT)
    live = [LiveGroup(group, timing, settings, outlets) for group in groups]
    engines = RuleEngines(EngineSettings(), LogqlEngine(store.log_reader), TraceqlEngine(store.span_reader))
    for number in range(3):
        begun_s, began_s = time.process_time(), time.perf_counter()
        for each in live:
            each.evaluate(engines, store.reader, now_ms + number)
        cpu_s = time.process_time() - begun_s
        print(
            f"round {number + 1} of {sum(len(each.group.rules) for each in live):,} rules over "
            f"{_N_METRICS * _SERIES:,} series: {cpu_s:.1f} CPU-s, {time.perf_counter() - began_s:.1f} s; "
            f"every {_INTERVAL_S} s that is {cpu_s / _INTERVAL_S:.2f} of a core"
        )
    bad = [rule.last_error for each in live for rule in each.view().rules if rule.last_error]
    print(f"{len(bad)} rules failed" + (f": {bad[0]}" if bad else ""))

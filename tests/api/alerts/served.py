"""The API of alerts and Alertmanager's, over rules of a file, a house and lines in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.api.alertmanager.parts import AlertmanagerParts
from swarmscope.api.alertmanager.routes import alertmanager_routes
from swarmscope.api.alerts.parts import AlertsApiParts, IntegrationOutcome, UnknownReceiverError
from swarmscope.api.alerts.routes import alerts_routes
from swarmscope.api.work import QueryQueue
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import Clock
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.testing.memory_log_reader import MemoryLogReader
from tests.api.alertmanager.small_house import SmallHouse
from tests.api.rules_seen import AT_MS, SeenRules

NS = 1_000_000_000


class FixedClock:
    def now_ns(self) -> int:
        return AT_MS * 1_000_000


class Ears:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []

    def integrations(self) -> dict[str, list[tuple[str, int]]]:
        return {"team": [("webhook", 0), ("slack", 0)], "nobody": []}

    def test(self, receiver: str, labels: Mapping[str, str]) -> list[IntegrationOutcome]:
        if receiver not in self.integrations():
            raise UnknownReceiverError
        self.told.append((receiver, dict(labels)))
        return [IntegrationOutcome("webhook", 0, "", 0.01234), IntegrationOutcome("slack", 0, "no such channel", 1.0)]


class Served:
    """All the pieces; with `clock` times are real ones."""

    def __init__(self, clock: Clock | None = None) -> None:
        pool = ThreadPoolExecutor(2)

        async def run(work: Callable[[], Any]) -> Any:
            return await asyncio.get_running_loop().run_in_executor(pool, work)

        self.clock = clock or FixedClock()
        self.house, self.lines, self.tester = SmallHouse(self.clock), MemoryLogReader(), Ears()
        settings = LogqlSettings(max_entries=2)  # pages of two
        engine, queue = LogqlEngine(self.lines, settings), QueryQueue(run, 2)
        parts = AlertsApiParts(SeenRules(), self.house, self.tester, engine, self.clock, queue)
        alertmanager = AlertmanagerParts(self.house, self.clock, run, lambda: True, self.house.reload, 0, "0.1.0")
        self.app = Starlette(routes=[*alerts_routes(parts), *alertmanager_routes(alertmanager)])
        self.client = TestClient(self.app)

    def send(self, **labels: str) -> None:
        now_ns = self.clock.now_ns()
        self.house.take([Alert(labels, {}, now_ns - NS, now_ns + 60 * NS, now_ns, "http://g")])

    def alerts(self, query: str = "") -> list[dict[str, Any]]:
        return self.client.get(f"/api/alerts?{query}").json()["alerts"]

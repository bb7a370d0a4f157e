"""Alertmanager's API over a house, asked without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.api.alertmanager.parts import AlertmanagerParts
from swarmscope.api.alertmanager.routes import alertmanager_routes
from swarmscope.app.clock import SystemClock
from tests.api.alertmanager.small_house import SmallHouse

T = TypeVar("T")


async def _run(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def served(house: SmallHouse, records: list[Any] | None = None) -> TestClient:
    """Paths are below `/alertmanager`."""
    parts = AlertmanagerParts(
        house, house.clock, _run, lambda: True, house.reload, 1_700_000_000 * 1_000_000_000, "0.1.0",
        on_request=(records if records is not None else []).append,
    )  # fmt: skip
    return TestClient(Starlette(routes=alertmanager_routes(parts)), raise_server_exceptions=False)


def small_house() -> SmallHouse:
    return SmallHouse(SystemClock())

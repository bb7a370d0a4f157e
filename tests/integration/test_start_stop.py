"""The fixtures themselves: real processes that take samples in, answer, and end."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.processes import Server, SwarmscopeServer, remote_write, write_request

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def _newest(server: Server, headers: dict[str, str]) -> list:
    asked = {"query": "started", "time": "1600000007"}
    answer = httpx.get(f"{server.prometheus_api}/api/v1/query", params=asked, headers=headers)
    return answer.json()["data"]["result"]


def test_what_is_written_is_answered(swarmscope_server, prometheus_server) -> None:
    body = write_request([({"__name__": "started", "job": "a"}, [(1_600_000_000_000, 1.5), (1_600_000_005_000, 2.5)])])
    expected = [{"metric": {"__name__": "started", "job": "a"}, "value": [1600000007, "2.5"]}]
    tenant = "start-stop"
    for server in (swarmscope_server, prometheus_server):
        remote_write(server, body, tenant)
        assert _newest(server, {"x-scope-orgid": tenant}) == expected


def test_a_clean_end_keeps_what_was_written(start_swarmscope) -> None:
    server: SwarmscopeServer = start_swarmscope({"RETENTION__METRICS": "infinite"})
    remote_write(server, write_request([({"__name__": "started"}, [(1_600_000_005_000, 2.5)])]))
    server.restart()
    assert _newest(server, {})[0]["value"] == [1600000007, "2.5"]

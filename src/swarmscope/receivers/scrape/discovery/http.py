"""`http_sd_configs`: target groups as JSON from an HTTP endpoint.

Source: https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from __future__ import annotations

import asyncio
import json
import logging

from swarmscope.receivers.scrape.config_model import HttpDiscoveryConfig, ScrapeConfigError, TargetGroup
from swarmscope.receivers.scrape.discovery.files import to_groups
from swarmscope.receivers.scrape.discovery.groups import Publish
from swarmscope.receivers.scrape.http_client import FetchError, HttpClient, decompress

_log = logging.getLogger(__name__)
_MAX_BYTES = 64 * 1024 * 1024
_MAX_TIMEOUT_S = 60.0


class HttpDiscovery:
    """Asks one endpoint again and again."""

    def __init__(self, config: HttpDiscoveryConfig) -> None:
        self._config = config

    async def run(self, publish: Publish) -> None:
        """Publish what the endpoint says, every `refresh_interval`; a failed refresh changes nothing."""
        interval_s = max(self._config.refresh_interval, 100) / 1000
        client = HttpClient(self._config)
        try:
            while True:
                try:
                    publish(await self._fetch(client, min(interval_s, _MAX_TIMEOUT_S)))
                except (FetchError, ScrapeConfigError) as error:
                    _log.warning("HTTP discovery keeps the last good groups: %s", error)
                await asyncio.sleep(interval_s)
        finally:
            await client.close()

    async def _fetch(self, client: HttpClient, timeout_s: float) -> list[TargetGroup]:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "X-Prometheus-Refresh-Interval-Seconds": f"{self._config.refresh_interval / 1000:g}",
        }
        url = self._config.url
        answer = await client.get(url, headers, timeout_s=timeout_s, max_bytes=_MAX_BYTES)
        if answer.content_type.split(";")[0].strip().lower() != "application/json":
            raise FetchError(f"{url}: Content-Type {answer.content_type!r}; allowed: application/json")
        try:
            document = json.loads(decompress(answer, _MAX_BYTES))
        except ValueError as error:
            raise FetchError(f"{url}: not JSON: {error}") from None
        return to_groups(document, url, {"__meta_url": url})

"""What the status pages tell of this program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from swarmscope import __version__
from swarmscope.app.settings import Settings
from swarmscope.app.settings.fields import FOREVER
from swarmscope.store.embedded.store import EmbeddedStore

# The flags that clients look at, under Prometheus' names.
_FLAG_SETTINGS = {
    "query.lookback-delta": ("api", "lookback_delta"),
    "query.max-concurrency": ("limits", "max_concurrent_queries"),
    "query.max-samples": ("limits", "max_query_samples"),
    "query.timeout": ("limits", "query_timeout"),
    "storage.tsdb.path": ("data",),
    "storage.tsdb.retention.time": ("retention", "metrics"),
    "web.enable-admin-api": ("api", "enable_admin_api"),
}

# What Prometheus answers while it has no sample.
_NO_TIMES = ((1 << 63) - 1, -(1 << 63))

# Keys of Prometheus' scrape configuration that hold a secret, or may: of a job as of each of its discoveries.
_SECRET_KEYS = frozenset(
    {
        "authorization", "basic_auth", "bearer_token", "http_headers", "oauth2", "params", "proxy_connect_header",
        "proxy_url", "tls_config",
    }
)  # fmt: skip


def _without_secrets(value: Any) -> Any:
    """A document without the secret keys, at whatever depth they stand."""
    if isinstance(value, dict):
        return {key: _without_secrets(inner) for key, inner in value.items() if key not in _SECRET_KEYS}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


class ProgramStatus:
    """Implements the API's `StatusSource`."""

    def __init__(self, settings: Settings, store: EmbeddedStore) -> None:
        self._settings = settings
        self._store = store

    def config_yaml(self) -> str:
        """The settings in force; tokens are masked and scrape jobs' secrets left out."""
        values = self._settings.model_dump(mode="json", by_alias=True)
        values["scrape"] = _without_secrets(values["scrape"])
        return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))

    def flags(self) -> Mapping[str, str]:
        """Settings under the names of Prometheus' flags."""
        flags = {}
        for flag, path in _FLAG_SETTINGS.items():
            value: Any = self._settings
            for key in path:
                value = getattr(value, key)
            flags[flag] = str(value).lower() if isinstance(value, bool) else str(value)
        return flags

    def runtime_info(self) -> Mapping[str, Any]:
        """Fields that the API cannot know itself."""
        kept = self._settings.retention.metrics
        return {"storageRetention": "infinite" if kept == FOREVER else str(kept), "swarmscopeVersion": __version__}

    def storage_stats(self, tenant: str, limit: int) -> Mapping[str, Any]:
        """Prometheus' cardinality figures, from the catalogue; the times are of all that is stored."""
        figures = self._store.catalogue.statistics(tenant, limit)
        oldest_ms, newest_ms = self._store.time_range_ms() or _NO_TIMES

        def ranking(pairs: list[tuple[str, int]]) -> list[dict[str, Any]]:
            return [{"name": name, "value": value} for name, value in pairs]

        return {
            "headStats": {
                "numSeries": figures.n_series,
                "numLabelPairs": figures.n_label_pairs,
                "chunkCount": 0,
                "minTime": oldest_ms,
                "maxTime": newest_ms,
            },
            "seriesCountByMetricName": ranking(figures.series_by_metric),
            "labelValueCountByLabelName": ranking(figures.values_by_label),
            "memoryInBytesByLabelName": ranking(figures.label_value_bytes),
            "seriesCountByLabelValuePair": ranking(figures.series_by_pair),
        }

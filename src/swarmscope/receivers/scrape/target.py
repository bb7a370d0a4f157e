"""From a discovered address to a target: default labels, relabelling, URL, interval.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config (the `__…__` labels).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from swarmscope.model.durations import format_duration_ms, parse_duration_ms
from swarmscope.receivers.scrape.config_model import ScrapeJob, TargetGroup
from swarmscope.receivers.scrape.relabel import RelabelRule, apply_relabelling
from swarmscope.receivers.scrape.series_hash import hash_text

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# Any fixed number will do: it only spreads targets over the interval and tells one target from another.
_IDENTITY_SEED = 0x5CA4E


@dataclass(frozen=True, slots=True)
class Target:
    """One address to scrape. `labels` go on its series; `identity` names it across refreshes of the discovery."""

    job_name: str
    discovered: dict[str, str]
    labels: dict[str, str]
    url: str
    interval_ms: int
    timeout_ms: int
    identity: int

    @property
    def global_url(self) -> str:
        """The URL with a loopback host replaced by this machine's name, so that it leads here from elsewhere."""
        parts = urlsplit(self.url)
        if parts.hostname not in _LOCAL_HOSTS:
            return self.url
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{socket.gethostname()}{port}").geturl()


@dataclass(frozen=True, slots=True)
class TargetSet:
    """What became of a job's groups. `faults` are addresses that make no target, with the reason."""

    active: dict[int, Target]  # by identity
    dropped: list[dict[str, str]]  # discovered labels
    faults: list[str]


def build_targets(job: ScrapeJob, rules: tuple[RelabelRule, ...], groups: Iterable[TargetGroup]) -> TargetSet:
    """Targets of all `groups`; the same target in two groups counts once."""
    found = TargetSet({}, [], [])
    for group in groups:
        for address in group.targets:
            discovered = {**_defaults(job), **_nonempty(group.labels), "__address__": address}
            try:
                target = _build(job, rules, discovered)
            except ValueError as error:
                found.faults.append(f"{address}: {error}")
                continue
            if target is None:
                found.dropped.append(discovered)
            else:
                found.active.setdefault(target.identity, target)
    return found


def _nonempty(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _defaults(job: ScrapeJob) -> dict[str, str]:
    config = job.config
    labels = {
        "job": job.name,
        "__scrape_interval__": format_duration_ms(job.interval_ms),
        "__scrape_timeout__": format_duration_ms(job.timeout_ms),
        "__metrics_path__": config.metrics_path,
        "__scheme__": config.scheme,
    }
    for name, values in config.params.items():
        if values:
            labels[f"__param_{name}"] = values[0]
    return _nonempty(labels)


def _build(job: ScrapeJob, rules: tuple[RelabelRule, ...], discovered: dict[str, str]) -> Target | None:
    labels = dict(discovered)
    if not apply_relabelling(labels, rules):
        return None
    address = labels.get("__address__", "")
    if not address:
        raise ValueError("no address")
    if "/" in address:
        raise ValueError(f"{address!r} is not a valid address")
    interval_ms = _duration(labels, "__scrape_interval__")
    timeout_ms = _duration(labels, "__scrape_timeout__")
    if timeout_ms > interval_ms:
        raise ValueError(f"scrape timeout cannot be greater than scrape interval ({timeout_ms} > {interval_ms} ms)")
    scheme = labels.get("__scheme__", "")
    if scheme not in ("http", "https"):
        raise ValueError(f"scheme {scheme!r} is not allowed; allowed: http, https")
    labels.setdefault("instance", address)
    url = _url(job, labels, scheme, address)
    public = {name: value for name, value in labels.items() if not name.startswith("__")}
    lasting = {name: value for name, value in labels.items() if not name.startswith("__meta_")}
    identity = hash_text(json.dumps([job.name, url, sorted(lasting.items())]).encode(), _IDENTITY_SEED)
    return Target(job.name, discovered, public, url, interval_ms, timeout_ms, identity)


def _duration(labels: dict[str, str], name: str) -> int:
    text = labels.get(name, "")
    try:
        duration_ms = parse_duration_ms(text)
    except ValueError as error:
        raise ValueError(f"{name} {text!r} {error}") from None
    if duration_ms == 0:
        raise ValueError(f"{name} cannot be 0")
    return duration_ms


def _url(job: ScrapeJob, labels: dict[str, str], scheme: str, address: str) -> str:
    params = {name: list(values) for name, values in job.config.params.items()}
    for label, value in labels.items():
        if label.startswith("__param_"):
            name = label.removeprefix("__param_")
            params[name] = [value, *params.get(name, [])[1:]]
    query = urlencode(sorted(params.items()), doseq=True)
    path = labels.get("__metrics_path__", "")
    if path and not path.startswith("/"):
        path = f"/{path}"
    # A path may bring a query of its own, as in "/metrics?format=prometheus".
    joint = ("&" if "?" in path else "?") if query else ""
    return f"{scheme}://{address}{path}{joint}{query}"

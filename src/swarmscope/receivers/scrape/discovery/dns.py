"""`dns_sd_configs`: targets from A, AAAA, SRV, MX and NS records.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#dns_sd_config
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from swarmscope.receivers.scrape.config_model import DnsDiscoveryConfig, TargetGroup
from swarmscope.receivers.scrape.discovery.groups import Publish

_log = logging.getLogger(__name__)
_LOOKUP_TIMEOUT_S = 10.0


class DnsDiscovery:
    """Looks the names of one `dns_sd_configs` entry up; `resolver` is the system's unless told otherwise."""

    def __init__(self, config: DnsDiscoveryConfig, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        self._config = config
        self._resolver = resolver
        self._groups: dict[str, list[TargetGroup]] = {}

    async def run(self, publish: Publish) -> None:
        """Publish every `refresh_interval`; a name that fails keeps its last good targets."""
        while True:
            await asyncio.gather(*(self._refresh(name) for name in self._config.names))
            publish([group for groups in self._groups.values() for group in groups])
            await asyncio.sleep(max(self._config.refresh_interval, 100) / 1000)

    async def _refresh(self, name: str) -> None:
        resolver = self._resolver or dns.asyncresolver.get_default_resolver()
        kind = RdataType[self._config.type]
        try:
            answer = await resolver.resolve(name, kind, lifetime=_LOOKUP_TIMEOUT_S)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self._groups[name] = []
            return
        except dns.exception.DNSException as error:
            _log.warning("DNS discovery keeps the last good targets of %s: %s", name, error)
            return
        self._groups[name] = [to_group(name, self._config, record) for record in answer]


def to_group(name: str, config: DnsDiscoveryConfig, record: Any) -> TargetGroup:
    """The target in one record: with labels of its own, as each SRV or MX record has its own."""
    labels = {"__meta_dns_name": name}
    port = config.port
    if config.type in ("A", "AAAA"):
        host = f"[{record.address}]" if config.type == "AAAA" else str(record.address)
    elif config.type == "SRV":
        host, port = record.target.to_text(omit_final_dot=True), record.port
        labels["__meta_dns_srv_record_target"] = record.target.to_text()
        labels["__meta_dns_srv_record_port"] = str(record.port)
    elif config.type == "MX":
        host = record.exchange.to_text(omit_final_dot=True)
        labels["__meta_dns_mx_record_target"] = record.exchange.to_text()
    else:
        host = record.target.to_text(omit_final_dot=True)
        labels["__meta_dns_ns_record_target"] = record.target.to_text()
    return TargetGroup(targets=[f"{host}:{port}"], labels=labels)

"""Which proxy a request goes through. Source: https://prometheus.io/docs/alerting/latest/configuration/#http_config"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import httpx

from swarmscope.integrations.http.http_settings import ProxySettings


def proxy_for(url: httpx.URL, settings: ProxySettings, environment: Mapping[str, str]) -> httpx.Proxy | None:
    """The proxy for an address, None where it is asked directly."""
    address = settings.proxy_url.get_secret_value() if settings.proxy_url else ""
    exempt = settings.no_proxy
    if settings.proxy_from_environment:
        address = _variable(environment, f"{url.scheme}_proxy")
        exempt = _variable(environment, "no_proxy")
    if not address or is_exempt(url, exempt):
        return None
    headers = [
        (name, value.get_secret_value()) for name, values in settings.proxy_connect_header.items() for value in values
    ]
    return httpx.Proxy(address, headers=headers)


def is_exempt(url: httpx.URL, exempt: str) -> bool:
    """Whether `no_proxy` names the host: itself, a domain above it, an address or network, each with a port or not."""
    host = url.host.lower().strip("[]")
    port = url.port or (443 if url.scheme == "https" else 80)
    for entry in filter(None, (part.strip().lower() for part in exempt.split(","))):
        if entry == "*" or _is_in_network(host, entry):
            return True
        name, colon, entry_port = entry.rpartition(":")
        if not colon or not entry_port.isdecimal():
            name, entry_port = entry, ""
        if entry_port and int(entry_port) != port:
            continue
        domain = name.strip("[]").removeprefix("*")
        if host == domain.removeprefix(".") and not name.startswith((".", "*")):
            return True
        if host.endswith(domain if domain.startswith(".") else f".{domain}"):
            return True
    return False


def _is_in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "") or environment.get(name.upper(), "")

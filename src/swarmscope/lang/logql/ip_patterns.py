"""The patterns of `ip("…")`: an address, a network or a range. https://grafana.com/docs/loki/latest/query/ip/"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network


@dataclass(frozen=True, slots=True)
class IpRange:
    """The addresses first <= a <= last of one version (4 or 6), as integers."""

    version: int
    first: int
    last: int


def parse_ip_pattern(text: str) -> IpRange:
    """The addresses that a pattern means. Raises ValueError where it is none."""
    if "/" in text:
        network = ip_network(text, strict=False)
        return IpRange(network.version, int(network.network_address), int(network.broadcast_address))
    first_text, dash, last_text = text.partition("-")
    first = ip_address(first_text.strip())
    if not dash:
        return IpRange(first.version, int(first), int(first))
    last = ip_address(last_text.strip())
    if first.version != last.version or int(last) < int(first):
        raise ValueError(f"{text!r} is no range of addresses")
    return IpRange(first.version, int(first), int(last))

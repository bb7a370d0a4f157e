"""`ip("…")`: addresses, networks and ranges, in lines and in label values.

Manual: https://grafana.com/docs/loki/latest/query/ip/
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of
from swarmscope.query.logql.json_text import byte_at

_IP6_CANDIDATE = re.compile(rb"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_DOT = 0x2E
_IP4 = 4
_OCTETS = 4


@dataclass(frozen=True, slots=True)
class AddressRange:
    """The addresses from `first` to `last`, both included."""

    version: int
    first: int
    last: int

    @classmethod
    def from_text(cls, text: str) -> AddressRange:
        """`192.168.0.1`, `192.168.0.0/16`, `192.168.0.1-192.168.0.99`, IPv6 alike. Raises QueryFailedError."""
        try:
            if "/" in text:
                network = ipaddress.ip_network(text, strict=False)
                return cls(network.version, int(network.network_address), int(network.broadcast_address))
            first_text, _, last_text = text.partition("-")
            first = ipaddress.ip_address(first_text.strip())
            last = ipaddress.ip_address(last_text.strip()) if last_text else first
        except ValueError as error:
            raise QueryFailedError(f"ip({text!r}) is no address, network or range: {error}") from error
        if first.version != last.version or int(first) > int(last):
            raise QueryFailedError(f"ip({text!r}) is no range: it must go up and stay in one version")
        return cls(first.version, int(first), int(last))


def lines_with_address(line: Utf8Column, wanted: AddressRange) -> NDArray[np.bool_]:
    """Which lines [n] have an address of the range in them."""
    if wanted.version == _IP4:
        return _with_ip4(line.buffer, line.start, line.length, wanted.first, wanted.last)
    found = np.zeros(len(line), np.bool_)
    # Slow path: IPv6 has too many spellings for a kernel; lines without two colons are passed over by the regex.
    for row in range(len(line)):
        begin = int(line.start[row])
        text = line.buffer[begin : begin + max(int(line.length[row]), 0)].tobytes()
        found[row] = any(_is_ip6_within(match[0], wanted) for match in _IP6_CANDIDATE.finditer(text))
    return found


def values_are_addresses(column: Utf8Column, wanted: AddressRange) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which values [n] are addresses of the range, and which are no addresses at all [n]."""
    inside, bad = np.zeros(len(column), np.bool_), column.length < 0
    known: dict[str, tuple[bool, bool]] = {}
    for row in np.flatnonzero(~bad).tolist():
        text = column.text(row)
        if text not in known:
            known[text] = _judge(text, wanted)
        inside[row], bad[row] = known[text]
    return inside, bad


def _judge(text: str, wanted: AddressRange) -> tuple[bool, bool]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False, True
    return address.version == wanted.version and wanted.first <= int(address) <= wanted.last, False


def _is_ip6_within(text: bytes, wanted: AddressRange) -> bool:
    if text.count(b":") < 2:
        return False
    for candidate in (text, text.rstrip(b".:"), text.strip(b".:")):
        try:
            return wanted.first <= int(ipaddress.IPv6Address(candidate.decode())) <= wanted.last
        except ValueError:
            continue
    return False


@njit(nogil=True, cache=True)
def _with_ip4(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], first: int, last: int
) -> NDArray[np.bool_]:
    found = np.zeros(len(start), np.bool_)
    base = address_of(buffer)
    for row in range(len(start)):
        at, end = start[row], start[row] + length[row]
        while at < end:
            if not 48 <= byte_at(base, at) <= 57:
                at += 1
                continue
            address, at = _take_ip4(base, at, end)
            if first <= address <= last:
                found[row] = True
                break
    return found


@njit(nogil=True, cache=True)
def _take_ip4(base: Int, at: Int, end: Int) -> tuple[Int, Int]:
    """The address whose first digit stands at `at` (-1 for none), and where to look on."""
    address, octets = np.int64(0), 0
    while True:
        octet, digits = np.int64(0), 0
        while at < end and 48 <= byte_at(base, at) <= 57:
            octet = min(octet * 10 + (byte_at(base, at) - 48), np.int64(256))
            digits += 1
            at += 1
        if digits == 0 or digits > 3 or octet > 255:
            return np.int64(-1), max(at, at + (digits == 0))
        address = (address << 8) | octet
        octets += 1
        is_dot = at < end and byte_at(base, at) == _DOT
        if octets == _OCTETS:
            # More digits behind another point: a version number or the like, no address.
            goes_on = is_dot and at + 1 < end and 48 <= byte_at(base, at + 1) <= 57
            return np.int64(-1) if goes_on else address, at
        if not is_dot:
            return np.int64(-1), at
        at += 1

"""`ip("…")` in lines and label values."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.addresses import AddressRange, lines_with_address, values_are_addresses
from tests.portion import portion


@pytest.mark.parametrize(
    ("line", "pattern", "expected"),
    [
        ("from 192.168.4.5 to 10.0.0.1", "192.168.4.0/24", True),
        ("from 192.168.5.5 to 10.0.0.1", "192.168.4.0/24", False),
        ("from 192.168.5.5 to 10.0.0.1", "10.0.0.1", True),
        ("3.180.71.3 - - [17/May/2015]", "3.180.71.3-3.180.71.9", True),
        ("3.180.71.33 - -", "3.180.71.3", False),
        ("13.180.71.3", "3.180.71.3", False),
        ("version 1.2.3.4.5", "1.2.3.4", False),
        ("1.2.3.400", "1.2.3.40", False),
        ("(1.2.3.4):80.", "1.2.3.4", True),
        ("no digits", "0.0.0.0/0", False),
        ("1.2.3", "0.0.0.0/0", False),
        ("", "0.0.0.0/0", False),
        ("client 2001:db8::7 said hello", "2001:db8::/32", True),
        ("client [2001:db8::7]:443", "2001:db8::7", True),
        ("at 12:30:45 nothing", "::/0", False),
        ("client 2001:db9::7", "2001:db8::/32", False),
    ],
)
def test_lines(line: str, pattern: str, expected: bool) -> None:
    found = lines_with_address(Utf8Column.from_strings(["x", line]), AddressRange.from_text(pattern))
    assert found.tolist() == [False, expected]


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_networks_are_pythons(address: ipaddress.IPv4Address, bits: int, base: ipaddress.IPv4Address) -> None:
    network = ipaddress.ip_network(f"{base}/{bits}", strict=False)
    found = lines_with_address(Utf8Column.from_strings([f"a {address} b"]), AddressRange.from_text(str(network)))
    assert found.tolist() == [address in network]


def test_values() -> None:
    column = Utf8Column.from_strings(["10.0.0.7", "11.0.0.7", "nonsense", "::1"])
    inside, bad = values_are_addresses(column, AddressRange.from_text("10.0.0.0/8"))
    assert inside.tolist() == [True, False, False, False]
    assert bad.tolist() == [False, False, True, False]


@pytest.mark.parametrize("pattern", ["", "1.2.3", "1.2.3.4/40", "1.2.3.4-::1", "1.2.3.9-1.2.3.4"])
def test_what_is_no_pattern_is_named(pattern: str) -> None:
    with pytest.raises(QueryFailedError, match="ip"):
        AddressRange.from_text(pattern)

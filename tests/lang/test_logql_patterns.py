"""The small languages inside LogQL's strings: patterns, JSON paths, addresses, durations and sizes."""

from ipaddress import ip_address

import pytest

from swarmscope.lang.logql.ip_patterns import IpRange, parse_ip_pattern
from swarmscope.lang.logql.json_paths import parse_json_path
from swarmscope.lang.logql.patterns import Capture, Literal, parse_label_pattern, parse_line_pattern, parse_pattern
from swarmscope.lang.logql.quoting import (
    bytes_text,
    duration_text,
    quote,
    read_bytes,
    read_duration_ns,
    read_go_duration_ns,
)
from swarmscope.lang.templates.go_strings import unquote


def test_pattern_of_the_documentation():
    parts = parse_label_pattern('<_> msg="<method> <path> (<status>) <latency>"')
    assert parts == (
        Capture("_"),
        Literal(' msg="'),
        Capture("method"),
        Literal(" "),
        Capture("path"),
        Literal(" ("),
        Capture("status"),
        Literal(") "),
        Capture("latency"),
        Literal('"'),
    )


def test_angle_brackets_without_a_name_are_text():
    assert parse_pattern("a < b <9> <> <x>") == (Literal("a < b <9> <> "), Capture("x"))
    assert parse_line_pattern("<_>a") == (Capture("_"), Literal("a"))
    assert parse_line_pattern("plain") == (Literal("plain"),)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("servers", ("servers",)),
        ("servers[0]", ("servers", 0)),
        ("my.field", ("my", "field")),
        ('request.headers["User-Agent"]', ("request", "headers", "User-Agent")),
        ('my.list[0]["field"]', ("my", "list", 0, "field")),
        ('["a.b"].c', ("a.b", "c")),
        (r'["a\"b"]', ('a"b',)),
        ("[1][2]", (1, 2)),
        ("@timestamp", ("@timestamp",)),
    ],
)
def test_json_paths(text, steps):
    assert parse_json_path(text) == steps


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "[0]a", 'a["b]', "a b", "0a"])
def test_malformed_json_paths(text):
    with pytest.raises(ValueError, match="expression"):
        parse_json_path(text)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("192.0.2.0", "192.0.2.0", "192.0.2.0"),
        ("::1", "::1", "::1"),
        ("192.168.0.1-192.189.10.12", "192.168.0.1", "192.189.10.12"),
        ("2001:db8::1-2001:db8::8", "2001:db8::1", "2001:db8::8"),
        ("192.168.4.5/16", "192.168.0.0", "192.168.255.255"),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_ip_patterns(text, first, last):
    expected = IpRange(ip_address(first).version, int(ip_address(first)), int(ip_address(last)))
    assert parse_ip_pattern(text) == expected


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4-::1", "1.2.3.4-1.2.3.3", "1.2.3.4-", "/8"])
def test_malformed_ip_patterns(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_ip_pattern(text)


def test_durations():
    assert read_duration_ns("1y2w3d4h5m6s7ms8us9ns") == 33_019_506_007_008_009
    assert read_duration_ns("1.5h") == 5_400_000_000_000
    assert duration_text(5_400_000_000_001) == "1h30m1ns"
    assert read_go_duration_ns("-1.5s") == -1_500_000_000
    assert read_go_duration_ns("0") == 0
    for text in ("", "5", "1d", "s", "1s2", " 1s"):
        with pytest.raises(ValueError, match="invalid duration"):
            read_go_duration_ns(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("20B", 20), ("1kB", 1000), ("1KiB", 1024), ("1.5 MiB", 1_572_864), ("3k", 3000), ("1G", 10**9), ("1,024", 1024),
     ("7", 7), ("1PB", 10**15), ("1EiB", 1 << 60)],
)  # fmt: skip
def test_sizes(text, size):
    assert read_bytes(text) == size
    assert read_bytes(bytes_text(size)) == size


@pytest.mark.parametrize("text", ["", "B", "1XB", "5i", "20EB", "-5MB"])
def test_malformed_sizes(text):
    with pytest.raises(ValueError, match="size"):
        read_bytes(text)


def test_strings_are_read_as_go_reads_them():
    assert unquote(r'"\a\b\f\n\r\t\v\\\"\x41\101\u00fc\U0001F600"') == '\a\b\f\n\r\t\v\\"AAü😀'
    assert unquote("`a\\n`") == "a\\n"
    assert unquote(r'"\xff"').encode("utf-8", "surrogateescape") == b"\xff"
    for text in (r'"\q"', r'"\ud800"', r'"\x4"', r'"\400"', r'"\U00110000"', '"\\\'"'):
        with pytest.raises(ValueError, match="escape"):
            unquote(text)
    for text in ("", "a", 'a"b', "a`b\\", "a\nb`", "\x00\udcff"):
        assert unquote(quote(text)) == text

"""Bounded unpacking of every encoding, and what first bytes give away."""

import contextlib
import gzip
import tracemalloc
import zlib

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.wire.decompression import (
    DEFLATE,
    GZIP,
    IDENTITY,
    LZ4,
    SNAPPY,
    SNAPPY_FRAMED,
    ZSTD,
    UnsupportedEncodingError,
    decompress,
    decompress_leniently,
    parse_encoding,
)
from tests.portion import portion

PACKERS = {
    "gzip": (GZIP, gzip.compress),
    "zlib": (DEFLATE, zlib.compress),
    "raw deflate": (DEFLATE, lambda data: bytes(cramjam.deflate.compress(data))),
    "zstd": (ZSTD, lambda data: bytes(cramjam.zstd.compress(data))),
    "lz4": (LZ4, lambda data: bytes(cramjam.lz4.compress(data))),
    "snappy": (SNAPPY, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy frames": (SNAPPY_FRAMED, lambda data: bytes(cramjam.snappy.compress(data))),
}
TEXT = b"swarm" * 5000


@pytest.fixture(params=PACKERS)
def packer(request):
    return PACKERS[request.param]


def test_unpacks(packer):
    encoding, pack = packer
    assert decompress(pack(TEXT), encoding, len(TEXT)).tobytes() == TEXT


def test_one_byte_over_the_limit_is_refused_by_the_limits_name(packer):
    encoding, pack = packer
    with pytest.raises(LimitExceededError) as caught:
        decompress(pack(TEXT), encoding, len(TEXT) - 1)
    assert caught.value.limit == "limits.max_body_bytes_decompressed"
    assert caught.value.too_large


def test_a_bomb_is_refused_in_bounded_memory(packer):
    encoding, pack = packer
    bomb = pack(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(LimitExceededError):
        decompress(bomb, encoding, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 3 << 20
    tracemalloc.stop()


def test_truncated_bodies_are_malformed(packer):
    encoding, pack = packer
    body = pack(TEXT)
    for cut in (1, len(body) // 2, len(body) - 1):
        with pytest.raises(MalformedInputError):
            decompress(body[:cut], encoding, 1 << 20)


def test_a_snappy_length_that_cannot_be_true_is_refused_before_memory_is_taken():
    with pytest.raises(MalformedInputError, match="length cannot be true"):
        decompress(b"\x80\x80\x80\x08\x00a", SNAPPY, 1 << 30)  # says 16 MiB
    with pytest.raises(LimitExceededError):
        decompress(b"\xff\xff\xff\xff\x0f\x00a", SNAPPY, 1 << 30)  # says 4 GiB


def test_several_members_are_one_body():
    assert decompress(gzip.compress(b"ab") + gzip.compress(b"cd"), GZIP, 10).tobytes() == b"abcd"


@pytest.mark.parametrize(
    ("header", "encoding"),
    [(None, IDENTITY), ("", IDENTITY), ("identity", IDENTITY), ("Snappy", SNAPPY), ("x-gzip", GZIP), ("zstd1", ZSTD)],
)
def test_headers(header, encoding):
    assert parse_encoding(header) == encoding


@pytest.mark.parametrize("header", ["br", "gzip, snappy", "snappy,gzip"])
def test_unknown_and_chained_encodings_are_refused_by_name(header):
    with pytest.raises(UnsupportedEncodingError, match=header):
        parse_encoding(header)


@pytest.mark.parametrize("declared", [IDENTITY, SNAPPY, GZIP, ZSTD])
def test_wrong_headers_are_seen_through(declared):
    # Real clients: Snappy without a header (npm), and proxies that leave a header behind.
    for name, (encoding, pack) in PACKERS.items():
        if encoding == DEFLATE or (encoding == SNAPPY and declared == DEFLATE):
            continue
        assert decompress_leniently(pack(TEXT), declared, 1 << 20).tobytes() == TEXT, name


def test_a_plain_body_without_a_header_is_itself():
    assert decompress_leniently(b"\x0a\x03abc", IDENTITY, 100).tobytes() == b"\x0a\x03abc"


@settings(max_examples=portion(200, 66), deadline=None)
@given(st.binary(max_size=200), st.sampled_from([GZIP, DEFLATE, ZSTD, LZ4, SNAPPY, SNAPPY_FRAMED]))
def test_any_bytes_unpack_or_are_refused(body, encoding):
    with contextlib.suppress(MalformedInputError, LimitExceededError):
        assert len(decompress(body, encoding, 1000)) <= 1000

"""A body of Zipkin's, in any of its formats, to a batch of spans. The mapping: `model/zipkin_conventions.py`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import Enum

import numpy as np
import orjson
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.wire.decode_room import Share
from swarmscope.receivers.wire.log_memory import line_bytes, pair_bytes, scan_bytes
from swarmscope.receivers.wire.log_pairs import MAX_PAIRS, check_count
from swarmscope.receivers.wire.span_push import PushedSpans
from swarmscope.receivers.zipkin.json_spans import ObjectReader
from swarmscope.receivers.zipkin.proto_spans import read_proto
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from swarmscope.receivers.zipkin.span_rows import SpanRows
from swarmscope.receivers.zipkin.v1_spans import is_v1, read_v1
from swarmscope.receivers.zipkin.zipkin_span import RefusedSpanError

MAX_SPANS = 1_000_000  # above what honest senders fit into the largest body
_JSON_FACTOR = 40  # JSON becomes Python objects at first: so many bytes for each of the body
_OBJECT_BYTES = 100  # of one text as a Python object, beside the arrays' cells


class Format(Enum):
    """What a body is written in; of JSON, what its path says where a span's shape does not."""

    JSON_V1 = "v1"
    JSON_V2 = "v2"
    PROTOBUF = "protobuf"


class SpansDecoder:
    """Decodes bodies; one for all requests of the process, thread-safe."""

    def __init__(
        self, settings: ZipkinSettings, now_ns: Callable[[], int] = time.time_ns, seed: int | None = None
    ) -> None:
        self._settings = settings
        self._now_ns = now_ns
        self._seed = secrets.randbits(64) if seed is None else seed

    def decode(self, form: Format, body: NDArray[np.uint8], tenant: str, share: Share) -> PushedSpans:
        """Decode one body. Raises MalformedInputError, and LimitExceededError beyond what is taken."""
        rows = SpanRows(self._now_ns)
        if form is Format.PROTOBUF:
            share.resize(scan_bytes(len(body)))
            read_proto(body, rows, lambda n_spans, n_pairs: _claim(share, len(body), n_spans, n_pairs))
        else:
            self._read_json(body, form, rows, share)
        return rows.to_pushed(tenant, self._seed)

    def _read_json(self, body: NDArray[np.uint8], form: Format, rows: SpanRows, share: Share) -> None:
        if len(body) > self._settings.max_json_bytes:
            raise LimitExceededError(
                f"the JSON body has more than {self._settings.max_json_bytes} bytes",
                limit="otlp.max_json_bytes",
                too_large=True,
            )
        share.resize(_JSON_FACTOR * len(body))
        reader = ObjectReader()
        by_path = form is Format.JSON_V1
        for number, span in enumerate(_load(body)):
            place = f"span {number}"
            if not isinstance(span, dict):
                raise MalformedInputError(f"{place} is no object")
            try:
                if is_v1(span, by_path=by_path):
                    for one in read_v1(span, reader, place):
                        rows.add(one)
                else:
                    rows.add(reader.read(span, place))
            except RefusedSpanError as error:
                rows.refuse(str(error))


def _claim(share: Share, n_body: int, n_spans: int, n_pairs: int) -> None:
    check_count(n_spans, MAX_SPANS, "spans")
    check_count(n_pairs, MAX_PAIRS, "tags and annotations")
    share.resize(line_bytes(n_body, 2 * n_spans) + pair_bytes(n_pairs) + 2 * _OBJECT_BYTES * n_pairs)


def _load(body: NDArray[np.uint8]) -> list[object]:
    """The list that a body holds; what is not UTF-8 in it becomes U+FFFD. Raises MalformedInputError."""
    data = body.tobytes()
    try:
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:  # Slow path
            text = data.decode(errors="replace")
            if "\ufffd" not in text:
                raise
            found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedInputError(f"the body is not JSON: {error}") from error
    if not isinstance(found, list):
        raise MalformedInputError("the body is no list of spans")
    return found

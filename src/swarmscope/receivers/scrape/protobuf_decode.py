"""Delimited `io.prometheus.client.MetricFamily` messages to columns, native histograms included.

Each sample gets the series text that the text format would have, so that all formats share one way from there on.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, MAX_EXPONENTIAL_SCHEMA, MIN_EXPONENTIAL_SCHEMA, ResetHint
from swarmscope.model.series_text import escape, quote
from swarmscope.receivers.scrape.exposition import NO_TIMESTAMP_MS, Exposition, ExpositionError, Family
from swarmscope.receivers.scrape.float_text import format_bound
from swarmscope.receivers.scrape.histogram_rows import HistogramRow
from swarmscope.receivers.scrape.label_text import decode_utf8, series_text
from swarmscope.receivers.scrape.names import is_legacy_label_name
from swarmscope.receivers.scrape.protobuf_messages import KINDS, MetricFamily
from swarmscope.receivers.scrape.row_builder import ExpositionBuilder

# A histogram of more buckets than this is no measurement but an attack on memory.
MAX_BUCKETS = 1_000_000


def decode_protobuf(body: bytes, *, seed: int, native: bool, classic: bool) -> Exposition:
    """Columns of an uncompressed body; raises ExpositionError naming the message.

    `native` takes native histograms, `classic` also takes the classic buckets of a histogram that is both.
    """
    builder = ExpositionBuilder()
    for number, data in enumerate(_split(body), start=1):
        family = MetricFamily()
        try:
            family.ParseFromString(data)
        except DecodeError as error:
            raise ExpositionError(f"message {number}: not a MetricFamily: {error}") from None
        try:
            _FamilyDecoder(builder, family, native=native, classic=classic).decode()
        except ExpositionError as error:
            raise ExpositionError(f"message {number}: {error}") from None
    return builder.build(seed)


def _split(body: bytes) -> list[bytes]:
    """The messages of a stream in which each one follows its length as a varint."""
    messages: list[bytes] = []
    position, size = 0, len(body)
    while position < size:
        length, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            if position >= size or shift > 63:
                raise ExpositionError(f"message {len(messages) + 1}: its length is cut off or too long")
            byte = body[position]
            length |= (byte & 0x7F) << shift
            shift += 7
            position += 1
        if length > size - position:
            raise ExpositionError(f"message {len(messages) + 1}: {length} bytes announced, {size - position} left")
        messages.append(body[position : position + length])
        position += length
    return messages


class _FamilyDecoder:
    """Adds one family's samples to a builder."""

    def __init__(self, builder: ExpositionBuilder, family: Any, *, native: bool, classic: bool) -> None:
        self._builder = builder
        self._family = family
        self._native = native
        self._classic = classic
        self._name = decode_utf8(family.name, "metric name")
        if not self._name:
            raise ExpositionError("metric family without a name")
        if not 0 <= family.type < len(KINDS):
            raise ExpositionError(f"metric family {self._name!r}: unknown type {family.type}")
        self._kind = KINDS[family.type]

    def decode(self) -> None:
        family = self._family
        unit, help_text = decode_utf8(family.unit, "unit"), decode_utf8(family.help, "help")
        self._builder.families.append(Family(self._name, self._kind, unit, help_text))
        for metric in family.metric:
            labels: dict[str, str] = {}
            for pair in metric.label:
                name = decode_utf8(pair.name, "label name")
                if name in labels:
                    raise ExpositionError(f"label name {name!r} stands twice in {self._name!r}")
                labels[name] = decode_utf8(pair.value, "label value")
            ts_ms = metric.timestamp_ms if metric.HasField("timestamp_ms") else NO_TIMESTAMP_MS
            self._metric(metric, labels, ts_ms)

    def _metric(self, metric: Any, labels: dict[str, str], ts_ms: int) -> None:
        kind = self._kind
        if kind in ("histogram", "gaugehistogram"):
            self._histogram(metric.histogram, labels, ts_ms)
        elif kind == "summary":
            self._summary(metric.summary, labels, ts_ms)
        else:
            source = {"counter": metric.counter, "gauge": metric.gauge, "unknown": metric.untyped}[kind]
            row = self._add("", labels, source.value, ts_ms)
            if kind == "counter" and source.HasField("exemplar"):
                self._builder.add_exemplar(row, *_exemplar(source.exemplar))

    def _add(self, suffix: str, labels: dict[str, str], value: float, ts_ms: int) -> int:
        return self._builder.add_sample(series_text({"__name__": self._name + suffix, **labels}), value, ts_ms)

    def _summary(self, summary: Any, labels: dict[str, str], ts_ms: int) -> None:
        self._add("_count", labels, float(summary.sample_count), ts_ms)
        self._add("_sum", labels, summary.sample_sum, ts_ms)
        for quantile in summary.quantile:
            self._add("", {**labels, "quantile": format_bound(quantile.quantile)}, quantile.value, ts_ms)

    def _histogram(self, histogram: Any, labels: dict[str, str], ts_ms: int) -> None:
        native = self._native and is_native(histogram)
        if native:
            row = to_row(histogram, gauge=self._kind == "gaugehistogram")
            at = self._builder.add_histogram(series_text({"__name__": self._name, **labels}), row, ts_ms)
            given = histogram.exemplars or [
                bucket.exemplar for bucket in histogram.bucket if bucket.HasField("exemplar")
            ]
            for exemplar in given:
                # A native histogram is one series for many exemplars: without its own time none can be told apart.
                if exemplar.HasField("timestamp"):
                    self._builder.add_histogram_exemplar(at, *_exemplar(exemplar))
        if not native or self._classic:
            self._classic_series(histogram, labels, ts_ms)

    def _classic_series(self, histogram: Any, labels: dict[str, str], ts_ms: int) -> None:
        count = histogram.sample_count_float or float(histogram.sample_count)
        self._add("_count", labels, count, ts_ms)
        self._add("_sum", labels, histogram.sample_sum, ts_ms)
        infinite = False
        for bucket in histogram.bucket:
            bound = format_bound(bucket.upper_bound)
            infinite = infinite or bound == "+Inf"
            population = bucket.cumulative_count_float or float(bucket.cumulative_count)
            row = self._add("_bucket", {**labels, "le": bound}, population, ts_ms)
            if bucket.HasField("exemplar"):
                self._builder.add_exemplar(row, *_exemplar(bucket.exemplar))
        if not infinite:
            self._add("_bucket", {**labels, "le": "+Inf"}, count, ts_ms)


def is_native(histogram: Any) -> bool:
    """Whether a histogram message holds a native histogram: an empty one has a span or a zero threshold."""
    zero = histogram.zero_threshold > 0 or histogram.zero_count > 0 or histogram.zero_count_float > 0
    return zero or bool(histogram.positive_span) or bool(histogram.negative_span)


def to_row(histogram: Any, *, gauge: bool) -> HistogramRow:
    """The native histogram in a message; raises ExpositionError where its parts contradict."""
    schema = histogram.schema
    if not MIN_EXPONENTIAL_SCHEMA <= schema <= MAX_EXPONENTIAL_SCHEMA:
        allowed = f"{MIN_EXPONENTIAL_SCHEMA} to {MAX_EXPONENTIAL_SCHEMA}"
        note = " (custom buckets are not exposed)" if schema == CUSTOM_BUCKETS_SCHEMA else ""
        raise ExpositionError(f"native histogram schema {schema} is not allowed{note}; allowed: {allowed}")
    is_float = histogram.sample_count_float > 0 or histogram.zero_count_float > 0
    return HistogramRow(
        schema=schema,
        count=histogram.sample_count_float if is_float else float(histogram.sample_count),
        sum=histogram.sample_sum,
        is_float=is_float,
        reset_hint=ResetHint.GAUGE if gauge else ResetHint.UNKNOWN,
        zero_threshold=histogram.zero_threshold,
        zero_count=histogram.zero_count_float if is_float else float(histogram.zero_count),
        positive=_side(histogram.positive_span, histogram.positive_delta, histogram.positive_count, is_float),
        negative=_side(histogram.negative_span, histogram.negative_delta, histogram.negative_count, is_float),
    )


def _side(spans: Any, deltas: Any, counts: Any, is_float: bool) -> list[tuple[int, float]]:
    total = sum(span.length for span in spans)
    given = len(counts) if is_float else len(deltas)
    if total != given or total > MAX_BUCKETS:
        raise ExpositionError(f"native histogram spans name {total} buckets, {given} are there")
    entries: list[tuple[int, float]] = []
    index, at, population = 0, 0, 0
    for number, span in enumerate(spans):
        if number and span.offset < 0:
            raise ExpositionError(f"native histogram span {number + 1} has negative offset {span.offset}")
        index += span.offset
        if not -(2**31) <= index < 2**31 - MAX_BUCKETS:
            raise ExpositionError(f"native histogram bucket index {index} is out of range")
        for _ in range(span.length):
            population += 0 if is_float else deltas[at]
            entries.append((index, counts[at] if is_float else float(population)))
            index += 1
            at += 1
    return entries


def _exemplar(exemplar: Any) -> tuple[bytes, float, int]:
    """Its labels as `{…}`, its value, its time."""
    pairs: list[str] = []
    for pair in exemplar.label:
        name, value = decode_utf8(pair.name, "label name"), decode_utf8(pair.value, "label value")
        pairs.append(f'{name if is_legacy_label_name(name) else quote(name)}="{escape(value)}"')
    ts_ms = NO_TIMESTAMP_MS
    if exemplar.HasField("timestamp"):
        ts_ms = exemplar.timestamp.seconds * 1000 + exemplar.timestamp.nanos // 1_000_000
    return f"{{{','.join(pairs)}}}".encode(), exemplar.value, ts_ms

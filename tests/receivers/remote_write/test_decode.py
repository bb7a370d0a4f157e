"""Both versions against messages that protobuf's own library encoded, and what is refused."""

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.staleness import STALE_BITS, STALE_NAN
from swarmscope.receivers.remote_write.decode import DecodeContext, decode_write_request
from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from swarmscope.testing.sinks import DictSeriesIndex, RecordingSink
from tests.portion import portion

WriteRequest = message_class(V1)
Request = message_class(V2)


def decode(message, proto=V1, **context):
    index = context.pop("index", None) or DictSeriesIndex()
    body = message if isinstance(message, bytes) else message.SerializeToString()
    return decode_write_request(np.frombuffer(body, np.uint8), proto, DecodeContext(index, **context))


def add_v1(request, labels, *samples):
    series = request.timeseries.add()
    for name, value in labels:
        series.labels.add(name=name, value=value)
    for ts_ms, value in samples:
        series.samples.add(timestamp=ts_ms, value=value)
    return series


class Symbols:
    """Builds a version 2 request with its symbol table."""

    def __init__(self, first=("",)):
        self.request = Request(symbols=list(first))
        self.numbers = {text: number for number, text in enumerate(first)}

    def ref(self, text):
        if text not in self.numbers:
            self.numbers[text] = len(self.request.symbols)
            self.request.symbols.append(text)
        return self.numbers[text]

    def add(self, labels, *samples):
        series = self.request.timeseries.add()
        for name, value in labels:
            series.labels_refs.extend((self.ref(name), self.ref(value)))
        for ts_ms, value in samples:
            series.samples.add(timestamp=ts_ms, value=value)
        return series


def samples_of(decoded):
    """Labels, time stamp and value of each sample of a batch whose series are all new."""
    labels = decoded.batch.new_labels.to_dicts()
    batch = decoded.batch
    rows = zip(batch.sample_series.tolist(), batch.ts_ms.tolist(), batch.value.tolist(), strict=True)
    return [(labels[series], ts_ms, value) for series, ts_ms, value in rows]


UP = [("__name__", "up"), ("job", "a")]


def test_labels_times_and_values():
    request = WriteRequest()
    add_v1(request, UP, (1000, 1.0), (2000, 0.0))
    add_v1(request, [("__name__", "x"), ("é", "ü")], (-5, -1.5))
    assert samples_of(decode(request)) == [
        ({"__name__": "up", "job": "a"}, 1000, 1.0),
        ({"__name__": "up", "job": "a"}, 2000, 0.0),
        ({"__name__": "x", "é": "ü"}, -5, -1.5),
    ]


def test_version_2_gives_the_same():
    symbols = Symbols()
    symbols.add(UP, (1000, 1.0), (2000, 0.0))
    symbols.add([("__name__", "x"), ("é", "ü")], (-5, -1.5))
    assert samples_of(decode(symbols.request, V2)) == [
        ({"__name__": "up", "job": "a"}, 1000, 1.0),
        ({"__name__": "up", "job": "a"}, 2000, 0.0),
        ({"__name__": "x", "é": "ü"}, -5, -1.5),
    ]


@pytest.mark.parametrize("proto", [V1, V2])
@pytest.mark.parametrize("seed", range(8))
def test_random_requests_against_protobufs_own_parser(proto, seed):
    rng = random.Random(seed)
    index = DictSeriesIndex()
    sink = RecordingSink(index)
    expected = []
    for _ in range(3):  # later requests repeat series of earlier ones
        symbols, request = Symbols(), WriteRequest()
        for _ in range(rng.randrange(60)):
            labels = [
                ("__name__", f"m{rng.randrange(5)}"),
                ("pod", f"p{rng.randrange(20)}"),
                ("x", "y" * rng.randrange(90)),
            ]
            if rng.random() < 0.2:
                rng.shuffle(labels)
            samples = [(rng.randrange(2**41), rng.gauss(0, 1)) for _ in range(rng.randrange(1, 4))]
            if proto == V2:
                symbols.add(labels, *samples)
            else:
                add_v1(request, labels, *samples)
            kept = {name: value for name, value in labels if value}
            expected += [(kept, *sample) for sample in samples]
        decoded = decode(symbols.request if proto == V2 else request, proto, index=index)
        assert not decoded.refusals
        sink.write_metrics(decoded.batch)
    assert sink.samples() == expected


def test_known_series_are_not_decoded_again():
    index = DictSeriesIndex()
    sink = RecordingSink(index)
    request = WriteRequest()
    add_v1(request, UP, (1, 1.0))
    sink.write_metrics(decode(request, index=index).batch)
    add_v1(request, [("__name__", "new")], (1, 2.0))
    batch = decode(request, index=index).batch
    assert batch.series_ref.tolist() == [0, -1]
    assert batch.new_labels.to_dicts() == [{"__name__": "new"}]


def test_keys_of_version_2_do_not_depend_on_symbol_numbers():
    first, second = Symbols(), Symbols(["", "other", "a"])
    first.add(UP, (1, 1.0))
    second.add(UP, (1, 1.0))
    one, two = decode(first.request, V2).batch, decode(second.request, V2).batch
    assert one.series_key.tolist() == two.series_key.tolist()
    swapped = Symbols()
    swapped.add([("__name__", "a"), ("job", "up")], (1, 1.0))
    assert decode(swapped.request, V2).batch.series_key.tolist() != one.series_key.tolist()


def test_a_new_series_that_stands_twice_is_one():
    request = WriteRequest()
    add_v1(request, UP, (1, 1.0))
    add_v1(request, [("__name__", "x")], (1, 5.0))
    add_v1(request, UP, (2, 2.0))
    batch = decode(request).batch
    assert batch.n_series == 2
    assert batch.sample_series.tolist() == [0, 1, 0]


def test_labels_between_samples_and_split_label_runs():
    # The same series with its labels in two runs around a sample: legal protobuf, and the labels are all there.
    def label(name, value):
        inner = b"\x0a" + bytes([len(name)]) + name + b"\x12" + bytes([len(value)]) + value
        return b"\x0a" + bytes([len(inner)]) + inner

    sample = b"\x12\x0b\x09" + struct.pack("<d", 3.0) + b"\x10\x07"
    series = label(b"__name__", b"up") + sample + label(b"job", b"a")
    body = b"\x0a" + bytes([len(series)]) + series
    assert samples_of(decode(body)) == [({"__name__": "up", "job": "a"}, 7, 3.0)]


def test_stale_markers_and_other_nans_keep_their_bits():
    request = WriteRequest()
    payload = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000ABCDEF))[0]
    add_v1(request, UP, (1, float(STALE_NAN)), (2, payload), (3, math.inf), (4, -0.0))
    bits = decode(request).batch.value.view(np.uint64).tolist()
    assert bits == [STALE_BITS, 0x7FF8000000ABCDEF, 0x7FF0000000000000, 0x8000000000000000]


def test_empty_values_are_dropped_and_unsorted_labels_taken():
    request = WriteRequest()
    add_v1(request, [("z", "1"), ("gone", ""), ("__name__", "up"), ("a", "2")], (1, 1.0))
    assert decode(request).batch.new_labels.to_dicts() == [{"z": "1", "__name__": "up", "a": "2"}]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([("__name__", "up"), ("a", "1"), ("a", "2")], "stands twice"),
        ([("b", "1"), ("a", "1"), ("__name__", "up"), ("b", "1")], "stands twice"),
        ([("__name__", "up"), ("", "1")], "name is empty"),
        ([("job", "a")], "metric name"),
        ([("__name__", "")], "metric name"),
        ([], "metric name"),
    ],
)
@pytest.mark.parametrize("proto", [V1, V2])
def test_bad_label_sets_are_refused_by_name_and_the_rest_stays(proto, labels, reason):
    symbols, request = Symbols(), WriteRequest()
    add = symbols.add if proto == V2 else lambda *args: add_v1(request, *args)
    add(UP, (1, 1.0))
    add(labels, (1, 2.0))
    add([("__name__", "x")], (1, 3.0))
    decoded = decode(symbols.request if proto == V2 else request, proto)
    assert [value for *_, value in samples_of(decoded)] == [1.0, 3.0]
    ((found, refusal),) = decoded.refusals.by_reason.items()
    assert reason in found
    assert refusal.count == 1


def test_labels_that_are_not_utf8_are_refused():
    good = WriteRequest()
    add_v1(good, UP, (1, 1.0))
    add_v1(good, [("__name__", "x"), ("k", "MARK")], (1, 2.0))
    decoded = decode(good.SerializeToString().replace(b"MARK", b"\xff\xfe\xff\xfe"))
    assert [value for *_, value in samples_of(decoded)] == [1.0]
    assert decoded.refusals.to_text() == (
        '1 series refused: a label is not UTF-8, first {__name__="x", k="\\xff\\xfe\\xff\\xfe"}'
    )


def test_references_out_of_range_and_odd_ones_are_refused():
    symbols = Symbols()
    symbols.add(UP, (1, 1.0))
    symbols.add(UP, (1, 2.0)).labels_refs.append(1)
    symbols.add(UP, (1, 3.0)).labels_refs.extend((2, 99))
    decoded = decode(symbols.request, V2)
    assert [value for *_, value in samples_of(decoded)] == [1.0]
    assert [refusal.count for refusal in decoded.refusals.by_reason.values()] == [1, 1]
    assert set(decoded.refusals.by_reason) == {
        "an odd number of label references", "a label refers to a symbol that is not there",
    }  # fmt: skip


def test_a_series_without_any_data_is_not_made():
    request = WriteRequest()
    add_v1(request, UP)
    add_v1(request, [("__name__", "x")], (1, 3.0))
    batch = decode(request).batch
    assert batch.new_labels.to_dicts() == [{"__name__": "x"}]
    assert batch.sample_series.tolist() == [0]


def test_many_samples_of_one_series_outgrow_the_first_guess():
    request = WriteRequest()
    series = add_v1(request, [("__name__", "a")])
    for number in range(5000):
        series.samples.add(timestamp=number, value=0.0)  # 4 bytes a sample
    assert decode(request).batch.ts_ms.tolist() == list(range(5000))


def test_many_empty_series_outgrow_the_first_guess():
    assert decode(b"\x0a\x00" * 3000).refusals.by_reason.popitem()[1].count == 3000


def test_unpacked_references_are_read_too():
    body = (
        b"\x22\x00\x22\x08__name__\x22\x02up"
        + b"\x2a\x0d\x08\x01\x08\x02\x12\x07\x10\x05"
        + b"\x18\x03"
        + b"\xf0\x01\x01"
    )
    assert samples_of(decode(body, V2)) == [({"__name__": "up"}, 5, 0.0)]


def test_symbols_may_follow_the_series():
    body = b"\x2a\x08\x0a\x02\x01\x02\x12\x02\x10\x05" + b"\x22\x00\x22\x08__name__\x22\x02up"
    assert samples_of(decode(body, V2)) == [({"__name__": "up"}, 5, 0.0)]


def test_exemplars_of_both_versions():
    request, symbols = WriteRequest(), Symbols()
    add_v1(request, [("__name__", "bad"), ("", "x")]).exemplars.add(value=9)
    symbols.add([("__name__", "bad"), ("", "x")]).exemplars.add(value=9)
    one = add_v1(request, UP, (1, 1.0)).exemplars.add(value=0.5, timestamp=77)
    one.labels.add(name="trace_id", value="abc")
    two = symbols.add(UP, (1, 1.0)).exemplars.add(value=0.5, timestamp=77)
    two.labels_refs.extend((symbols.ref("trace_id"), symbols.ref("abc")))
    for batch in (decode(request).batch, decode(symbols.request, V2).batch):
        assert batch.exemplars.series.tolist() == [0]
        assert batch.exemplars.ts_ms.tolist() == [77]
        assert batch.exemplars.value.tolist() == [0.5]
        assert batch.exemplars.labels.to_dicts() == [{"trace_id": "abc"}]


def test_metadata_of_version_1():
    request = WriteRequest()
    request.metadata.add(type=1, metric_family_name="http_requests_total", help="All of them", unit="")
    request.metadata.add(type=7, metric_family_name="state", unit="s")
    batch = decode(request).batch
    assert batch.metadata.metric == ["http_requests_total", "state"]
    assert batch.metadata.kind == ["counter", "stateset"]
    assert batch.metadata.help == ["All of them", ""]
    assert batch.metadata.unit == ["", "s"]
    assert batch.n_series == 0


def test_metadata_of_version_2_is_told_once():
    symbols = Symbols()
    for suffix in ("_bucket", "_count", "_sum"):
        metadata = symbols.add([("__name__", "rpc_seconds" + suffix)], (1, 1.0)).metadata
        metadata.type, metadata.help_ref, metadata.unit_ref = 3, symbols.ref("How long"), symbols.ref("seconds")
    symbols.add(UP, (1, 1.0)).metadata.type = 2
    known = set()
    decoded = decode(symbols.request, V2, known_metadata=known)
    assert decoded.batch.metadata.metric == ["rpc_seconds", "up"]
    assert decoded.batch.metadata.kind == ["histogram", "gauge"]
    assert decoded.batch.metadata.unit == ["seconds", ""]
    assert decoded.batch.metadata.help == ["How long", ""]
    known.update(decoded.metadata_keys)
    assert decode(symbols.request, V2, known_metadata=known).batch.metadata is None


def test_start_timestamps_become_zero_samples_where_the_setting_asks():
    symbols = Symbols()
    series = symbols.add(UP)
    series.samples.add(timestamp=1000, value=5.0, start_timestamp=400)
    series.samples.add(timestamp=2000, value=6.0, start_timestamp=2000)  # no start before the sample
    old = symbols.add([("__name__", "old")], (1000, 7.0))
    old.created_timestamp = 300  # where earlier drafts had it
    old.histograms.add(timestamp=900, count_int=0, schema=3, start_timestamp=100)
    plain = decode(symbols.request, V2).batch
    assert plain.ts_ms.tolist() == [1000, 2000, 1000]
    assert plain.histograms.ts_ms.tolist() == [900]
    batch = decode(symbols.request, V2, zero_ingestion=True).batch
    assert batch.ts_ms.tolist() == [1000, 2000, 1000, 400, 300]
    assert batch.value.tolist() == [5.0, 6.0, 7.0, 0.0, 0.0]
    assert batch.sample_series.tolist() == [0, 0, 1, 0, 1]
    assert batch.histograms.ts_ms.tolist() == [900, 100]
    assert batch.histograms.schema.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x0a\x05ab", "the request, field 1, at byte 0: a length reaches beyond"),
        (b"\x0a\x02\x12\x05", "TimeSeries, field 2, at byte 2: a length reaches beyond"),
        (b"\x0a\x04\x12\x02\x09\x00", "Sample at byte 4: the bytes end"),
        (b"\x0a\x04\x12\x02\x08\x00", "Sample at byte 4: the field has another wire type"),
        (b"\x08\x01", "the request, field 1, at byte 0: the field has another wire type"),
        (b"\x0b", "the request"),
    ],
)
def test_malformed_requests_are_refused_whole_with_place_and_reason(body, message):
    with pytest.raises(MalformedInputError) as caught:
        decode(body)
    assert message in str(caught.value)


def rich_request(seed):
    rng = random.Random(seed)
    request, symbols = WriteRequest(), Symbols()
    for number in range(rng.randrange(1, 8)):
        labels = [("__name__", f"m{number}"), ("k", "v" * rng.randrange(9))]
        for series in (add_v1(request, labels, (1, 2.0)), symbols.add(labels, (1, 2.0))):
            series.exemplars.add(value=1, timestamp=5)
            histogram = series.histograms.add(schema=rng.randrange(-4, 9), timestamp=9, count_int=6)
            histogram.positive_spans.add(offset=-2, length=2)
            histogram.positive_deltas.extend((1, 4))
        series.metadata.type = 1
    request.metadata.add(type=1, metric_family_name="m0")
    return request.SerializeToString(), symbols.request.SerializeToString()


@settings(max_examples=portion(400, 133), deadline=None)
@given(st.integers(0, 50), st.integers(0, 10**9), st.integers(0, 7), st.booleans(), st.sampled_from([V1, V2]))
def test_damaged_requests_are_decoded_or_refused(seed, place, bit, truncate, proto):
    body = bytearray(rich_request(seed)[proto == V2])
    place %= len(body)
    if truncate:
        del body[place:]
    else:
        body[place] ^= 1 << bit
    check_any(bytes(body), proto)


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.binary(max_size=200), st.sampled_from([V1, V2]))
def test_any_bytes_are_decoded_or_refused(body, proto):
    check_any(body, proto)


def check_any(body, proto):
    try:
        decoded = decode(body, proto, zero_ingestion=True)
    except MalformedInputError as error:
        assert " at byte " in str(error)  # noqa: PT017
        return
    batch = decoded.batch
    assert len(batch.new_labels) == batch.n_series
    assert all("__name__" in labels for labels in batch.new_labels.to_dicts())
    for series in (batch.sample_series, batch.histograms.series):
        assert ((series >= 0) & (series < batch.n_series)).all()
    if batch.exemplars is not None:
        assert ((batch.exemplars.series >= 0) & (batch.exemplars.series < batch.n_series)).all()

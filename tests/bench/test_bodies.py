"""Bodies against Google's protobuf runtime, with the messages declared here from prompb's field numbers."""

import math

import cramjam
import numpy as np
import pytest
from bench.bodies import encode_load, encode_varint
from bench.fleet import SERIES_PER_POD, STEP_MS, FleetValues, series_labels
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

END_MS = 1_790_000_000_000  # 5 s after a multiple of 15 s: 1,790,000,000 = 15 * 119,333,333 + 5
LAST_MS = END_MS - 5_000


def _write_request():
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="p", syntax="proto3")
    layout = {
        "Label": [("name", 1, field.TYPE_STRING, ""), ("value", 2, field.TYPE_STRING, "")],
        "Sample": [("value", 1, field.TYPE_DOUBLE, ""), ("timestamp", 2, field.TYPE_INT64, "")],
        "Series": [("labels", 1, field.TYPE_MESSAGE, ".p.Label"), ("samples", 2, field.TYPE_MESSAGE, ".p.Sample")],
        "Request": [("series", 1, field.TYPE_MESSAGE, ".p.Series")],
    }
    for name, fields in layout.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, type_name in fields:
            label = field.LABEL_REPEATED if kind == field.TYPE_MESSAGE else field.LABEL_OPTIONAL
            message.field.add(name=field_name, number=number, type=kind, label=label, type_name=type_name or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Request"))


REQUEST = _write_request()


def _decode(body):
    return REQUEST.FromString(bytes(cramjam.snappy.decompress_raw(body.payload)))


def test_every_sample_of_every_round_is_in_the_bodies():
    load = encode_load(200, 3, 120, END_MS)
    values, expected_labels = FleetValues(2), list(series_labels(2))
    assert (load.last_ms, load.first_ms) == (LAST_MS, LAST_MS - 2 * STEP_MS)
    for number, bodies in enumerate(load.rounds):
        assert [body.n_samples for body in bodies] == [120, 80]
        series = [one for body in bodies for one in _decode(body).series]
        assert [[(label.name, label.value) for label in one.labels] for one in series] == expected_labels
        assert [one.samples[0].value for one in series] == values.next_round().tolist()
        assert {one.samples[0].timestamp for one in series} == {load.first_ms + number * STEP_MS}
        assert {len(one.samples) for one in series} == {1}


def test_series_are_all_different_and_of_the_announced_size():
    labels = list(series_labels(30))
    assert len({tuple(one) for one in labels}) == 30 * SERIES_PER_POD
    assert all(one == sorted(one) for one in labels)
    size = np.mean([sum(len(name) + len(value) for name, value in one) for one in labels])
    assert 200 < size < 240
    assert {len(one) for one in labels} <= {8, 9}


def test_counters_and_buckets_never_fall():
    fleet = FleetValues(3)
    before = fleet.next_round().reshape(3, SERIES_PER_POD).copy()
    for _ in range(20):
        now = fleet.next_round().reshape(3, SERIES_PER_POD)
        assert (now[:, :88] >= before[:, :88]).all()
        buckets = now[:, 20:56].reshape(3, 3, 12)
        assert (np.diff(buckets, axis=2) >= 0).all()
        assert (now >= 0).all()
        before = now.copy()


def test_the_number_of_series_is_whole_pods():
    with pytest.raises(ValueError, match="multiple of 100"):
        encode_load(150, 1, 100, END_MS)


@pytest.mark.parametrize(("number", "encoded"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_varints(number, encoded):
    assert encode_varint(number) == encoded
    assert math.ceil(number.bit_length() / 7) in (len(encoded), 0)

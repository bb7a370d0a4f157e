"""The scanner against protobuf's own parser, and against bytes made by hand."""

import random
import struct

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.wire import scanner
from swarmscope.receivers.wire.message_schema import Kind, MessageSchema
from swarmscope.receivers.wire.scanner import Scan, ScanLimits, scan_message
from tests.portion import portion

OTLP = MessageSchema.from_descriptor(ExportMetricsServiceRequest.DESCRIPTOR)
ANY = MessageSchema.from_descriptor(AnyValue.DESCRIPTOR)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def random_value(rng, depth=0):
    value = AnyValue()
    kind = rng.randrange(7 if depth < 4 else 5)
    if kind == 0:
        value.string_value = "x" * rng.randrange(20) + "é"
    elif kind == 1:
        value.bool_value = rng.random() < 0.5
    elif kind == 2:
        value.int_value = rng.randrange(-(2**63), 2**63)
    elif kind == 3:
        value.double_value = rng.gauss(0, 1e9)
    elif kind == 4:
        value.bytes_value = rng.randbytes(rng.randrange(5))
    elif kind == 5:
        for _ in range(rng.randrange(4)):
            value.array_value.values.append(random_value(rng, depth + 1))
    else:
        for _ in range(rng.randrange(4)):
            value.kvlist_value.values.add(key=f"k{rng.randrange(9)}").value.CopyFrom(random_value(rng, depth + 1))
    return value


def random_request(seed):
    rng = random.Random(seed)
    request = ExportMetricsServiceRequest()
    for _ in range(rng.randrange(4)):
        resource = request.resource_metrics.add(schema_url="u" * rng.randrange(3))
        for _ in range(rng.randrange(3)):
            resource.resource.attributes.add(key="r").value.CopyFrom(random_value(rng))
        for _ in range(rng.randrange(3)):
            scope = resource.scope_metrics.add()
            scope.scope.name = "scope"
            for number in range(rng.randrange(30)):
                fill_metric(scope.metrics.add(name=f"m{number}", unit="s"), rng)
    return request


def fill_metric(metric, rng):
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randrange(4)):
            point = metric.gauge.data_points.add(as_double=rng.random(), time_unix_nano=rng.randrange(2**64))
            point.attributes.add(key="a").value.CopyFrom(random_value(rng))
            exemplar = point.exemplars.add(as_int=-5, span_id=rng.randbytes(8))
            exemplar.filtered_attributes.add(key="e").value.string_value = "v"
    elif kind == 1:
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = rng.randrange(3)
        metric.sum.data_points.add(as_int=rng.randrange(-(2**63), 2**63))
    elif kind == 2:
        point = metric.histogram.data_points.add(count=4, sum=-1.5)
        point.bucket_counts.extend(rng.randrange(2**64) for _ in range(rng.randrange(9)))
        point.explicit_bounds.extend(rng.random() for _ in range(rng.randrange(9)))
    else:
        point = metric.exponential_histogram.data_points.add(scale=rng.randrange(-20, 20), zero_count=3)
        point.positive.offset = rng.randrange(-(2**31), 2**31)
        point.positive.bucket_counts.extend(rng.randrange(2**40) for _ in range(5))
        point.negative.offset = 7


def to_cell(known, value):
    if known.kind is Kind.BYTES:
        return value.encode() if isinstance(value, str) else value
    return value


def read_cell(scan: Scan, table, known, row, descriptor):
    if known.kind is Kind.BYTES:
        column = table.texts(known.name)
        return scan.buffer[column.start[row] :][: column.length[row]].tobytes()
    if descriptor.cpp_type in (descriptor.CPPTYPE_DOUBLE, descriptor.CPPTYPE_FLOAT):
        return float(table.floats(known.name)[row])
    if descriptor.cpp_type in (descriptor.CPPTYPE_UINT64, descriptor.CPPTYPE_UINT32):
        return int(table.uints(known.name)[row])
    return int(table.ints(known.name)[row])


def compare(scan: Scan, name, row, message):
    """The row of a table holds exactly what protobuf's parser read."""
    table = scan.table(name)
    for descriptor in message.DESCRIPTOR.fields:
        known = scan.schema.field(name, descriptor.name)
        value = getattr(message, descriptor.name)
        if not known.repeated and descriptor.has_presence:
            assert bool(table.has(known.name)[row]) == message.HasField(descriptor.name)
        if known.kind is Kind.MESSAGE:
            child_name = scan.schema.shapes[known.child].name
            if known.repeated:
                children = scan.children(name, known.name)
                rows = children.rows[children.offsets[row] : children.offsets[row + 1]].tolist()
                assert len(rows) == len(value)
                for child, part in zip(rows, value, strict=True):
                    compare(scan, child_name, child, part)
            else:
                child = int(table.child(known.name)[row])
                assert (child >= 0) == message.HasField(descriptor.name)
                if child >= 0:
                    assert scan.table(child_name).parent[child] == row
                    compare(scan, child_name, child, value)
        elif known.repeated and known.kind is Kind.BYTES:
            texts = scan.repeated_texts(name, known.name)
            begin, end = texts.offsets[row : row + 2]
            assert [texts.texts.text(i) for i in range(begin, end)] == list(value)
        elif known.repeated:
            numbers = scan.values(name, known.name)
            cells = numbers.floats if descriptor.cpp_type == descriptor.CPPTYPE_DOUBLE else numbers.uints
            assert cells[numbers.offsets[row] : numbers.offsets[row + 1]].tolist() == list(value)
        elif not (descriptor.containing_oneof and not message.HasField(descriptor.name)):
            assert read_cell(scan, table, known, row, descriptor) == to_cell(known, value)


@pytest.mark.parametrize("seed", range(25))
def test_reads_what_protobuf_reads(seed):
    request = random_request(seed)
    scan = scan_message(OTLP, request.SerializeToString())
    compare(scan, "ExportMetricsServiceRequest", 0, request)


def test_tables_that_fill_up_are_enlarged_without_loss():
    # 300 nested rows of each level in one parent: every table starts far too small and grows several times.
    schema = MessageSchema.from_descriptor(ExportMetricsServiceRequest.DESCRIPTOR)
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for number in range(300):
        point = metrics.add(name=f"m{number}").gauge.data_points.add(as_double=number)
        for _ in range(5):
            value = point.attributes.add(key="k").value
            value.array_value.values.add(string_value="s")
            value.array_value.values.add().kvlist_value.values.add(key="deep").value.int_value = number
    scan = scan_message(schema, request.SerializeToString())
    compare(scan, "ExportMetricsServiceRequest", 0, request)
    assert scan.count("AnyValue") == 300 * 5 * 4


def test_a_recursive_root_is_enlarged_without_loss():
    value = AnyValue()
    for number in range(500):
        value.array_value.values.add().array_value.values.add(int_value=number)
    schema = MessageSchema.from_descriptor(AnyValue.DESCRIPTOR)
    compare(scan_message(schema, value.SerializeToString()), "AnyValue", 0, value)


def test_only_wanted_fields_become_tables():
    schema = MessageSchema.from_descriptor(
        ExportMetricsServiceRequest.DESCRIPTOR,
        {"ResourceMetrics": ("scope_metrics",), "ScopeMetrics": ("metrics",), "Metric": ("name",)},
    )
    assert [shape.name for shape in schema.shapes] == [
        "ExportMetricsServiceRequest", "ResourceMetrics", "ScopeMetrics", "Metric",
    ]  # fmt: skip
    request = random_request(3)
    names = scan_message(schema, request.SerializeToString()).table("Metric").texts("name").to_strings()
    assert names == [m.name for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]


@pytest.mark.parametrize("wanted", [{"Nowhere": ("x",)}, {"Metric": ("nmae",)}])
def test_a_schema_with_a_name_that_does_not_exist_is_refused(wanted):
    with pytest.raises(ValueError, match=r"Nowhere|nmae"):
        MessageSchema.from_descriptor(ExportMetricsServiceRequest.DESCRIPTOR, wanted)


def test_unpacked_numbers_are_read_too():
    # HistogramDataPoint.explicit_bounds is field 7: packed [1.0], then two single ones.
    point = b"\x3a\x08" + struct.pack("<d", 1.0) + b"\x39" + struct.pack("<d", 2.0) + b"\x39" + struct.pack("<d", 4.0)
    body = wrap(point)
    bounds = scan_message(OTLP, body).values("HistogramDataPoint", "explicit_bounds")
    assert bounds.floats.tolist() == [1.0, 2.0, 4.0]
    assert bounds.offsets.tolist() == [0, 3]


def wrap(point):
    """A HistogramDataPoint inside its request (fields 1, 2, 2, 9, 1)."""
    for tag in (0x0A, 0x4A, 0x12, 0x12, 0x0A):
        point = bytes([tag, len(point)]) + point
    return point


def test_the_last_member_of_a_oneof_counts():
    value = scan_message(ANY, b"\x0a\x01a" + b"\x18\x07").table("AnyValue")  # string_value "a", then int_value 7
    assert not value.has("string_value")[0]
    assert value.has("int_value")[0]
    assert value.ints("int_value")[0] == 7


def test_spans_are_roots_of_their_own():
    body = b"??\x18\x01??\x18\x02"
    scan = scan_message(ANY, body, ([2, 6], [4, 8]))
    assert scan.table("AnyValue").ints("int_value").tolist() == [1, 2]
    assert scan.table("AnyValue").parent.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x0a", "AnyValue.string_value at byte 1: the bytes end"),
        (b"\x0a\x05ab", "AnyValue.string_value at byte 1: a length reaches beyond"),
        (b"\x18" + b"\xff" * 10 + b"\x01", "AnyValue.int_value at byte 1: a varint is longer"),
        (b"\x18" + b"\xff" * 9 + b"\x02", "AnyValue.int_value at byte 1: a varint is longer"),
        (b"\x18\x80", "AnyValue.int_value at byte 1: the bytes end"),
        (b"\x21\x00\x00", "AnyValue.double_value at byte 1: the bytes end"),
        (b"\x08\x01", "AnyValue.string_value at byte 1: the field has another wire type"),
        (b"\x1a\x01a", "AnyValue.int_value at byte 1: the field has another wire type"),
        (b"\x0b", "AnyValue.string_value at byte 0: groups"),
        (b"\xf3\x01", "AnyValue.30 at byte 0: groups"),
        (b"\x00\x00", "AnyValue at byte 0: a field tag is not valid"),
        (b"\x0f", "AnyValue.string_value at byte 0: a field tag is not valid"),
        (b"\xff\xff\xff\xff\x7f", "a field tag is not valid"),
        (b"\x2a\x03\x0a\x05a", "ArrayValue.values at byte 3: a length reaches beyond"),
    ],
)
def test_faults_are_named_with_message_field_and_byte(body, message):
    with pytest.raises(MalformedInputError) as caught:
        scan_message(ANY, body)
    assert message in str(caught.value)


def test_packed_numbers_must_fill_their_field():
    with pytest.raises(MalformedInputError, match=r"explicit_bounds at byte \d+: packed numbers"):
        scan_message(OTLP, wrap(b"\x3a\x07" + b"\x00" * 7))


def test_unknown_fields_are_skipped_whatever_their_wire_type():
    unknown = b"\xf0\x01\x05" + b"\xf1\x01" + b"\x00" * 8 + b"\xf2\x01\x02hi" + b"\xf5\x01" + b"\x00" * 4
    table = scan_message(ANY, unknown + b"\x18\x03").table("AnyValue")
    assert table.ints("int_value").tolist() == [3]


def nested(levels):
    value = AnyValue(int_value=1)
    for _ in range(levels):
        outer = AnyValue()
        outer.array_value.values.append(value)
        value = outer
    return value.SerializeToString()


def test_nesting_has_a_limit():
    assert scan_message(ANY, nested(20), limits=ScanLimits(max_depth=25)).count("AnyValue") == 21
    with pytest.raises(MalformedInputError, match=r"AnyValue at byte .*nested too deeply"):
        scan_message(ANY, nested(40), limits=ScanLimits(max_depth=25))


def test_cells_have_a_limit():
    body = b"\x2a\x80\x7d" + b"\x0a\x00" * 8000  # one ArrayValue of 8,000 empty values
    assert scan_message(ANY, body).count("AnyValue") == 8001
    with pytest.raises(MalformedInputError, match="more than 10000 values"):
        scan_message(ANY, body, limits=ScanLimits(max_cells=10_000))


def test_one_odd_body_does_not_make_later_ones_fail():
    schema = MessageSchema.from_descriptor(AnyValue.DESCRIPTOR)
    dense = AnyValue()
    for _ in range(4000):
        dense.array_value.values.add()
    scan_message(schema, dense.SerializeToString())  # two bytes a row
    sparse = AnyValue(string_value="x" * 100_000).SerializeToString()
    assert scan_message(schema, sparse, limits=ScanLimits(max_cells=1000)).count("AnyValue") == 1


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_tables_or_a_named_fault(body):
    try:
        scan_message(OTLP, body)
    except MalformedInputError as error:
        assert " at byte " in str(error)  # noqa: PT017


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, 7), st.booleans())
def test_damaged_messages_never_crash(seed, place, bit, truncate):
    body = bytearray(random_request(seed % 25).SerializeToString())
    if not body:
        return
    place %= len(body)
    if truncate:
        del body[place:]
    else:
        body[place] ^= 1 << bit
    try:
        scan = scan_message(OTLP, bytes(body))
    except MalformedInputError:
        return
    # What the scanner takes, protobuf takes (but for strings that are not UTF-8, which receivers check).
    try:
        parsed = ExportMetricsServiceRequest.FromString(bytes(body))
    except DecodeError:
        return
    assert scan.count("ResourceMetrics") == len(parsed.resource_metrics)


def test_narrow_numbers_are_cut_and_extended_as_protobuf_does():
    # ExponentialHistogramDataPoint.scale is sint32 (field 6): zigzag of -1 with garbage above 32 bits.
    raw = 1 | (1 << 40)
    varint = bytes((raw >> shift & 0x7F) | (0x80 if raw >> (shift + 7) else 0) for shift in range(0, 42, 7))
    point = b"\x30" + varint
    body = point
    for tag in (0x0A, 0x52, 0x12, 0x12, 0x0A):
        body = bytes([tag, len(body)]) + body
    theirs = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics[0]
    assert theirs.exponential_histogram.data_points[0].scale == -1
    ours = scan_message(OTLP, body).table("ExponentialHistogramDataPoint").ints("scale")
    assert ours.dtype == np.int64
    assert ours.tolist() == [-1]


@pytest.mark.parametrize("max_cells", [10_000, 100_000, 1_000_000, 1_000_003])
def test_tables_are_enlarged_a_few_times_and_then_refused(monkeypatch, max_cells):
    """Each enlargement doubles a table or uses the room up: there are at most log2(cells) of them for a table."""
    steps = []
    enlarge = scanner._enlarge

    def counted(schema, tables, limits):
        full, before = int(tables.state[1]), int(tables.capacity.sum())
        larger = enlarge(schema, tables, limits)
        grown = int(larger.capacity.sum()) - before
        assert grown >= min(int(tables.capacity[full]), scanner._SMALLEST_CAPACITY) > 0
        assert len(larger.cells) <= max_cells
        steps.append(grown)
        assert len(steps) < 20 * len(schema.shapes)
        return larger

    monkeypatch.setattr(scanner, "_enlarge", counted)
    schema = MessageSchema.from_descriptor(AnyValue.DESCRIPTOR)
    # Two bytes make a row: an array with a million empty values (field 5, in it field 1, twenty bits of length).
    values = b"\x0a\x00" * 1_000_000
    body = b"\x2a" + varint(len(values)) + values
    with pytest.raises(MalformedInputError, match="values"):
        scan_message(schema, body, limits=ScanLimits(max_cells=max_cells))
    assert steps

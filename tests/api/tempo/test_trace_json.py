"""Protobuf's own library says what the JSON of a message is."""

import json

import orjson
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from swarmscope.api.tempo.trace_json import resource_spans_json
from tests.portion import portion

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_UINT32, _UINT64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)


def _values():
    plain = st.one_of(
        st.builds(common_pb2.AnyValue),
        st.builds(common_pb2.AnyValue, string_value=_TEXT),
        st.builds(common_pb2.AnyValue, bool_value=st.booleans()),
        st.builds(common_pb2.AnyValue, int_value=st.integers(-(1 << 63), (1 << 63) - 1)),
        st.builds(common_pb2.AnyValue, double_value=st.floats()),
        st.builds(common_pb2.AnyValue, bytes_value=st.binary(max_size=5)),
    )

    def nested(inner):
        array = st.builds(common_pb2.ArrayValue, values=st.lists(inner, max_size=3))
        pairs = st.lists(st.builds(common_pb2.KeyValue, key=_TEXT.filter(bool), value=inner), max_size=3)
        return st.one_of(
            st.builds(common_pb2.AnyValue, array_value=array),
            st.builds(common_pb2.AnyValue, kvlist_value=st.builds(common_pb2.KeyValueList, values=pairs)),
        )

    return st.recursive(plain, nested, max_leaves=5)


_ATTRIBUTES = st.lists(st.builds(common_pb2.KeyValue, key=_TEXT.filter(bool), value=_values()), max_size=3)
_EVENT = st.builds(
    trace_pb2.Span.Event, time_unix_nano=_UINT64, name=_TEXT, attributes=_ATTRIBUTES, dropped_attributes_count=_UINT32
)
_LINK = st.builds(
    trace_pb2.Span.Link, trace_id=st.binary(min_size=16, max_size=16), span_id=st.binary(min_size=8, max_size=8),
    trace_state=_TEXT, attributes=_ATTRIBUTES, dropped_attributes_count=_UINT32, flags=_UINT32,
)  # fmt: skip
_SPAN = st.builds(
    trace_pb2.Span, trace_id=st.binary(min_size=16, max_size=16), span_id=st.binary(min_size=8, max_size=8),
    parent_span_id=st.sampled_from([b"", b"abcdefgh"]), trace_state=_TEXT, flags=_UINT32, name=_TEXT,
    kind=st.integers(0, 5), start_time_unix_nano=_UINT64, end_time_unix_nano=_UINT64, attributes=_ATTRIBUTES,
    dropped_attributes_count=_UINT32, events=st.lists(_EVENT, max_size=2), dropped_events_count=_UINT32,
    links=st.lists(_LINK, max_size=2), dropped_links_count=_UINT32,
    status=st.builds(trace_pb2.Status, message=_TEXT, code=st.integers(0, 2)),
)  # fmt: skip


@settings(max_examples=portion(100, 33))
@given(st.lists(_SPAN, max_size=3), _ATTRIBUTES, _TEXT, _UINT32)
def test_the_json_is_that_of_protobuf(spans, attributes, text, number):
    data = trace_pb2.TracesData()
    of_resource = data.resource_spans.add(schema_url=text)
    of_resource.resource.attributes.extend(attributes)
    of_resource.resource.dropped_attributes_count = number
    of_resource.resource.SetInParent()
    of_scope = of_resource.scope_spans.add(schema_url=text, spans=spans)
    of_scope.scope.name = text
    of_scope.scope.attributes.extend(attributes)
    of_scope.scope.SetInParent()
    expected = json_format.MessageToDict(data)["resourceSpans"]
    expected[0]["scopeSpans"][0].setdefault("spans", [])
    # Through text, so that what is no JSON would be seen.
    assert json.loads(orjson.dumps(resource_spans_json(data))) == json.loads(json.dumps(expected))

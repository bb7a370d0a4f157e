"""Spans in and out of the embedded store: from memory, from one part, from many small parts, and after a restart."""

import numpy as np
import pytest

from swarmscope.model.spans import AttributeScope, SpanColumns, SpanRequest
from tests.portion import portion
from tests.store.embedded.conftest import budget
from tests.store.embedded.spans.span_cases import (
    EVER,
    T_NS,
    S,
    event,
    ident,
    in_order,
    link,
    scanned,
    span,
    span_batch,
    trace,
    traces,
)

DAY = 86_400 * S
SPANS = [
    span(1, T_NS, {"http.method": "GET", "http.status": 200, "ok": True, "ratio": 0.25, "raw": b"\x00\xff",
         "none": None}, name="GET /", kind=2, flags=0x101, state="a=b", keep=3),
    span(2, T_NS + S, {"ok": False, "http.status": 500, "http.method": "PÖST"}, parent_id=ident(1), status=2,
         message="it broke 🐢", dropped=(1, 2, 3), resource={"service.name": "db", "port": 5432},
         scope=("pg", "2.0", {"driver": "x"})),
    span(3, T_NS + 2 * S, {"http.status": 200, "http.method": "GET"}, trace_id=trace(2),
         events=[event(T_NS + 2 * S + 1, "first", {"n": 1, "": ""}), event(T_NS - S, "earlier", {}, 7)],
         links=[link(9, {"why": "retry", "score": 1.5}, "x=y", 4, 0xFFFFFFFF), link(8)]),
    # Nothing told at all; and an end before the start.
    span(4, T_NS + 3 * S, {}, trace_id=trace(2), name="", resource={}, scope=("", "", {}), end_ns=T_NS),
    # More attributes than there are slots, in an order of their own.
    span(5, T_NS + 4 * S, {f"key{i:04}": i if i % 2 else f"v{i}" for i in reversed(range(40))}, trace_id=trace(3)),
    # Two days later, with long values; and an attribute without a name.
    span(6, T_NS - 2 * DAY, {"big": "x" * 70_000, "": "unnamed", "http.status": "200"}, trace_id=trace(3),
         name="n" * 300, message="m" * 1000),
    span(7, 5, {"old": "yes"}, end_ns=(1 << 63) - 1, trace_id=trace(3)),
]  # fmt: skip
SPREADS = ["half flushed", "restarted", "memory", "one flush", "flush per span"][: portion(5, 2)]


def write(store, spans, tenant="default"):
    receipt = store.span_sink.write_spans(span_batch(spans, tenant))
    assert (receipt.spans, receipt.refused) == (len(spans), {})


def fill(store, spans, spread):
    for i, part in enumerate([[each] for each in spans] if spread == "flush per span" else [spans[::2], spans[1::2]]):
        write(store, part)
        if spread == "flush per span" or (spread in ("half flushed", "restarted") and i == 0):
            assert store.spans.flush()
    if spread == "one flush":
        assert store.spans.flush()


@pytest.fixture(params=SPREADS)
def filled(request, open_spans):
    store = open_spans()
    fill(store, SPANS, request.param)
    if request.param == "restarted":
        store.close()
        store = open_spans()
    return store


def test_every_field_comes_back(filled):
    assert scanned(filled) == in_order(SPANS)


def test_a_trace_is_found_by_id(filled):
    assert traces(filled, 2) == in_order(SPANS[2:4])
    assert traces(filled, 3, 1) == in_order([*SPANS[:2], *SPANS[4:]])
    assert traces(filled, 77) == [] == traces(filled, 1, tenant="other")


def test_spans_are_counted_by_resource_and_step(filled):
    counts = filled.span_reader.count_spans("default", T_NS - 1, (2 * S, 3), budget())
    names = filled.span_reader.resources().attributes.column("service.name")
    found = {}
    for row, step in enumerate(counts.step.tolist()):
        found[names.scalar(int(counts.resource[row])), step] = counts.weight[row]
    # Spans 1, 3 and 5 are of one service and begin at 0, 2 and 4 s; the others of two more at 1 and 3 s.
    web = SPANS[0]["resource"]["service.name"]
    assert found == {(web, 0): 1, ("db", 0): 1, (web, 1): 1, (None, 1): 1, (web, 2): 1}
    assert counts.n_spans == 5
    # A span that begins at a step's end belongs to it.
    assert filled.span_reader.count_spans("default", T_NS - S, (S, 1), budget()).weight.tolist() == [1]
    assert filled.span_reader.count_spans("default", T_NS, (S, 1), budget()).n_spans == 1
    assert filled.span_reader.count_spans("other", T_NS - 1, (2 * S, 3), budget()).n_spans == 0


def test_time_bounds_are_half_open(filled):
    assert scanned(filled, range_ns=(T_NS + S, T_NS + 3 * S)) == in_order(SPANS[1:3])


def test_another_tenant_sees_its_own(filled):
    assert scanned(filled, tenant="other") == []
    write(filled, SPANS[:1], "other")
    assert scanned(filled, tenant="other") == SPANS[:1]
    assert filled.spans.flush()
    assert scanned(filled, tenant="other") == SPANS[:1]
    assert scanned(filled) == in_order(SPANS)


def test_a_repeated_span_stands_once(filled):
    write(filled, SPANS)
    assert scanned(filled) == in_order(SPANS)
    filled.spans.flush()
    write(filled, SPANS)
    assert scanned(filled) == in_order(SPANS)


def test_wanted_attributes_are_columns(filled):
    request = SpanRequest(*EVER, SpanColumns(ids=True), ("http.status", "key0039", "missing", "ok"))
    found = {}
    for rows in filled.span_reader.scan_spans("default", request, budget()):
        assert len(rows.attributes) == 4
        for i in range(len(rows)):
            found[rows.span_id[i].tobytes()] = [column.scalar(i) for column in rows.attributes]
    expected = {one["span_id"]: [one["attributes"].get(name) for name in request.attributes] for one in SPANS}
    assert found == expected


def test_columns_not_asked_for_are_empty(filled):
    n = 0
    for rows in filled.span_reader.scan_spans("default", SpanRequest(*EVER), budget()):
        n += len(rows)
        assert len(rows.resource) == len(rows.trace_id) == len(rows.weight) == len(rows)
        empty = (rows.duration_ns, rows.span_id, rows.parent_id, rows.kind, rows.status, rows.name, rows.scope)
        assert [len(column) for column in (*empty, rows.status_message)] == [0] * 8
        assert rows.details is None
        assert np.all(rows.weight == 1)
    assert n == len(SPANS)
    request = SpanRequest(*EVER, SpanColumns(trace_id=False))
    for rows in filled.span_reader.scan_spans("default", request, budget()):
        assert (rows.trace_id.shape, len(rows.start_ns)) == ((0, 16), len(rows.weight))


def test_a_trace_may_be_asked_for_in_part(filled):
    ids = np.frombuffer(trace(3), np.uint8).reshape(1, 16)
    request = SpanRequest(T_NS - 3 * DAY, T_NS + 5 * S, SpanColumns(name=True), ("big",))
    rows = filled.span_reader.find_traces("default", ids, budget(), request)
    assert rows.name.to_strings() == ["n" * 300, "op"]
    assert [rows.attributes[0].scalar(i) for i in range(2)] == ["x" * 70_000, None]
    assert rows.start_ns.tolist() == [T_NS - 2 * DAY, T_NS + 4 * S]
    assert (len(rows.span_id), len(rows.kind), rows.details) == (0, 0, None)


def test_a_walk_begins_with_the_newest(filled):
    last, found = 1 << 62, []
    for rows in filled.span_reader.walk_spans("default", SpanRequest(*EVER), budget(), batch_spans=1):
        assert rows.start_ns.max() < last
        last = rows.start_ns.min()
        found += rows.start_ns.tolist()
    assert sorted(found) == sorted(one["start_ns"] for one in SPANS)


def test_operations_and_names(filled):
    reader = filled.span_reader
    listed = [(each.service, each.name, int(each.kind)) for each in reader.operations("default", *EVER)]
    assert listed == sorted({(one["resource"].get("service.name", ""), one["name"], one["kind"]) for one in SPANS})
    assert reader.operations("other", *EVER) == []
    assert reader.attribute_names("default", AttributeScope.SPAN, *EVER) == sorted(
        {name for one in SPANS for name in one["attributes"]}
    )
    assert reader.attribute_names("default", AttributeScope.RESOURCE, *EVER) == ["port", "service.name"]
    assert reader.attribute_names("default", AttributeScope.EVENT, *EVER) == ["", "n"]
    assert reader.attribute_names("default", AttributeScope.LINK, *EVER) == ["score", "why"]
    assert reader.attribute_names("default", AttributeScope.INSTRUMENTATION, *EVER) == ["driver"]
    assert all(reader.attribute_names("other", scope, *EVER) == [] for scope in AttributeScope)
    assert reader.attribute_names("default", AttributeScope.SPAN, 0, S) == ["old"]

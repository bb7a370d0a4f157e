"""Spans as dictionaries, to and from the store's columns."""

import numpy as np

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanColumns, SpanRequest
from tests.store.embedded.conftest import budget

S = 1_000_000_000
T_NS = 1_790_000_000 * S
EVER = (0, 1 << 62)
WHOLE = SpanColumns(whole=True)


def trace(number):
    return number.to_bytes(16, "big")


def ident(number):
    return number.to_bytes(8, "big")


def span(number, at_ns=T_NS, attributes=None, **fields):
    """A span of trace 1 with span id `number`; what is not told is as plain as can be."""
    attributes = {} if attributes is None else attributes
    plain = {
        "trace_id": trace(1), "span_id": ident(number), "parent_id": bytes(8), "start_ns": at_ns,
        "end_ns": at_ns + 5, "kind": 1, "status": 0, "flags": 0, "dropped": (0, 0, 0), "name": "op", "message": "",
        "state": "", "attributes": attributes, "events": [], "links": [], "resource": {"service.name": "web"},
        "scope": ("lib", "1", {}), "keep": 0,
    }  # fmt: skip
    assert fields.keys() <= plain.keys() | {"share"}
    return {**plain, **fields}


def event(at_ns, name="e", attributes=None, dropped=0):
    return {"at_ns": at_ns, "name": name, "attributes": attributes or {}, "dropped": dropped}


def link(number, attributes=None, state="", dropped=0, flags=0):
    return {
        "trace_id": trace(number), "span_id": ident(number), "state": state, "attributes": attributes or {},
        "dropped": dropped, "flags": flags,
    }  # fmt: skip


def _texts(values):
    return Utf8Column.from_strings(list(values))


def _ids(values, width):
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, width).copy()


def _offsets(counts):
    return np.concatenate([[0], np.cumsum(list(counts))]).astype(np.int64)


def span_batch(spans, tenant="default"):
    """A batch of the spans, with a resource and a scope for each."""
    events = [each for one in spans for each in one["events"]]
    links = [each for one in spans for each in one["links"]]
    n = len(spans)

    def numbers(key, dtype):
        return np.array([one[key] for one in spans], dtype)

    dropped = np.array([one["dropped"] for one in spans], np.uint32).reshape(n, 3)
    return SpanBatch(
        resources=Resources(
            AttributeSets.from_dicts([one["resource"] for one in spans]), _texts(["url"] * n), np.zeros(n, np.uint32)
        ),
        scopes=Scopes(
            _texts(one["scope"][0] for one in spans), _texts(one["scope"][1] for one in spans),
            AttributeSets.from_dicts([one["scope"][2] for one in spans]), _texts([""] * n), np.zeros(n, np.uint32),
        ),
        resource=np.arange(n), scope=np.arange(n), trace_id=_ids((one["trace_id"] for one in spans), 16),
        span_id=_ids((one["span_id"] for one in spans), 8), parent_id=_ids((one["parent_id"] for one in spans), 8),
        start_ns=numbers("start_ns", np.int64), end_ns=numbers("end_ns", np.int64), kind=numbers("kind", np.uint8),
        status=numbers("status", np.uint8), flags=numbers("flags", np.uint32), dropped_attributes=dropped[:, 0].copy(),
        dropped_events=dropped[:, 1].copy(), dropped_links=dropped[:, 2].copy(),
        name=_texts(one["name"] for one in spans), status_message=_texts(one["message"] for one in spans),
        trace_state=_texts(one["state"] for one in spans),
        attributes=AttributeSets.from_dicts([one["attributes"] for one in spans]),
        events=Events(
            _offsets(len(one["events"]) for one in spans), np.array([each["at_ns"] for each in events], np.int64),
            _texts(each["name"] for each in events), AttributeSets.from_dicts([each["attributes"] for each in events]),
            np.array([each["dropped"] for each in events], np.uint32),
        ),
        links=Links(
            _offsets(len(one["links"]) for one in spans), _ids((each["trace_id"] for each in links), 16),
            _ids((each["span_id"] for each in links), 8), _texts(each["state"] for each in links),
            AttributeSets.from_dicts([each["attributes"] for each in links]),
            np.array([each["dropped"] for each in links], np.uint32),
            np.array([each["flags"] for each in links], np.uint32),
        ),
        keep=numbers("keep", np.uint8), share=np.array([one.get("share", 1) for one in spans], np.float32),
        tenant=tenant,
    )  # fmt: skip


def to_spans(rows, reader):
    """`SpanRows` of whole spans as dictionaries."""
    resources, scopes = reader.resources(), reader.scopes()
    sets, scope_sets = resources.attributes.to_dicts(), scopes.attributes.to_dicts()
    event_sets, link_sets = rows.events.attributes.to_dicts(), rows.links.attributes.to_dicts()
    attributes, details = rows.details.attributes.to_dicts(), rows.details
    found = []
    for i in range(len(rows)):
        scope = int(rows.scope[i])
        found.append({
            "trace_id": rows.trace_id[i].tobytes(), "span_id": rows.span_id[i].tobytes(),
            "parent_id": rows.parent_id[i].tobytes(), "start_ns": int(rows.start_ns[i]),
            "end_ns": int(rows.start_ns[i]) + int(rows.duration_ns[i]), "kind": int(rows.kind[i]),
            "status": int(rows.status[i]), "flags": int(details.flags[i]),
            "dropped": (int(details.dropped_attributes[i]), int(details.dropped_events[i]),
                        int(details.dropped_links[i])),
            "name": rows.name.text(i), "message": rows.status_message.text(i), "state": details.trace_state.text(i),
            "attributes": attributes[i],
            "events": [
                event(int(rows.events.ts_ns[k]), rows.events.name.text(k), event_sets[k],
                      int(rows.events.dropped_attributes[k]))
                for k in range(rows.events.offsets[i], rows.events.offsets[i + 1])
            ],
            "links": [
                {"trace_id": rows.links.trace_id[k].tobytes(), "span_id": rows.links.span_id[k].tobytes(),
                 "state": rows.links.trace_state.text(k), "attributes": link_sets[k],
                 "dropped": int(rows.links.dropped_attributes[k]), "flags": int(rows.links.flags[k])}
                for k in range(rows.links.offsets[i], rows.links.offsets[i + 1])
            ],
            "resource": sets[int(rows.resource[i])],
            "scope": (scopes.name.text(scope), scopes.version.text(scope), scope_sets[scope]),
            "keep": int(details.keep[i]),
        })  # fmt: skip
    return found


def in_order(spans):
    return sorted(
        ({key: value for key, value in one.items() if key != "share"} for one in spans),
        key=lambda one: (one["start_ns"], one["trace_id"], one["span_id"], one["kind"]),
    )


def scanned(store, *conditions, tenant="default", range_ns=EVER):
    """All spans of the request, whole."""
    request = SpanRequest(*range_ns, columns=WHOLE, conditions=conditions)
    return in_order(
        one
        for rows in store.span_reader.scan_spans(tenant, request, budget())
        for one in to_spans(rows, store.span_reader)
    )


def traces(store, *numbers, tenant="default"):
    """The spans of some traces."""
    ids = _ids([trace(number) for number in numbers], 16)
    return in_order(to_spans(store.span_reader.find_traces(tenant, ids, budget()), store.span_reader))

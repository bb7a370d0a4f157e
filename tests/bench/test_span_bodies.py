"""The benchmark's traces are what they claim to be."""

import numpy as np
from bench.span_bodies import SERVICES, SPANS_PER_TRACE, encode_span_bodies
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def test_a_rewritten_body_has_whole_traces_with_new_ids_and_times():
    (body,) = encode_span_bodies(1, 30)
    generator = np.random.default_rng(1)
    seen = set()
    for turn in range(2):
        begin_ns = (turn + 1) * 10**18
        times = np.sort(generator.integers(begin_ns, begin_ns + 10**9, body.n_times))
        request = ExportTraceServiceRequest.FromString(body.rewrite(times, generator))
        assert [group.resource.attributes[0].value.string_value for group in request.resource_spans] == list(SERVICES)
        spans = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
        assert len(spans) == body.n_records == 30 * SPANS_PER_TRACE
        by_id = {span.span_id: span for span in spans}
        for span in spans:
            assert len(span.attributes) == 10
            assert begin_ns <= span.start_time_unix_nano < span.end_time_unix_nano
            if span.parent_span_id:
                parent = by_id[span.parent_span_id]
                assert parent.trace_id == span.trace_id
                assert parent.start_time_unix_nano <= span.start_time_unix_nano
        traces = {span.trace_id for span in spans}
        assert traces == {row.tobytes() for row in body.trace_ids}
        assert len(traces) == 30
        assert not traces & seen
        seen |= traces

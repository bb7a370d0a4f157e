import http.server
import json
import threading

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from swarmscope import sdk
from tests.sdk.otlp_receiver import dead_port

MODULES = {"modules": [{"name": "a", "activity": 0.5}, {"name": "b", "activity": 1}], "optimization": 0.5}
MODEL = {"model": {"tpm": [[0, 0], [0, 1], [1, 0], [1, 1]], "state": [1, 0], "brain_region": "pair"}}
ENTRY = {
    "value": 1.0, "brain_region": "pair", "integration_type": "iit_3.0", "effective_information": 2.0, "mip_value": 0.5,
    "significant": True, "estimator": "declared", "n_units": 2, "n_samples": 0,
}  # fmt: skip


@pytest.fixture
def make_collector():
    provider = MeterProvider([], shutdown_on_exit=False)
    return lambda **options: sdk.IntelligenceMetricsCollector(meter_provider=provider, **options)


def _raises(state):
    raise ZeroDivisionError("of it")


def test_collector_emits_what_is_computed(make_collector):
    asked = []
    collector = make_collector(computation=lambda state: asked.append(state) or {"phi": [ENTRY]})
    collector.record(MODEL)
    assert asked == [MODEL]
    line = 'agi_consciousness_phi{brain_region="pair",integration_type="iit_3.0"} 1.0'
    assert line in collector.exposition().splitlines()


def test_nothing_computed_is_nothing_emitted(make_collector):
    for found in ({}, {"phi": []}, {"phi": [{**ENTRY, "valid": False, "reason": "too_few_bins"}]}):
        collector = make_collector(computation=lambda state, found=found: found)
        collector.record(MODULES)
        assert collector.exposition() == ""


@pytest.mark.parametrize(
    ("computation", "words"),
    [
        (_raises, "the computation failed: ZeroDivisionError: of it"),
        (lambda state: 7, "the brain state is 7, expected is an object"),
        (lambda state: {"phi": [{**ENTRY, "p_value": 2}]}, "p_value of item 0"),
        (lambda state: {"phi": [{**ENTRY, "significant": 1}]}, "expected is true or false"),
    ],
)
def test_computation_that_fails(make_collector, computation, words):
    told = {"phi": [{"value": 0.25, "brain_region": "told", "integration_type": "phi_g"}]}
    collector = make_collector(computation=computation)
    with pytest.raises(sdk.BrainStateError, match=words):
        collector.record(told)
    assert 'brain_region="told"' in collector.exposition(), "what the state says has been taken"


def test_spans_carry_what_was_computed(spans):
    sdk.trace_consciousness_emergence(MODEL, lambda state: {"phi": [ENTRY, {**ENTRY, "value": 3.0}]})
    (span,) = spans()
    assert dict(span.attributes) == {
        "phi": 1.0, "integration_type": "iit_3.0", "effective_information": 2.0, "mip_value": 0.5,
        "intelligence.phi": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize("computation", [_raises, lambda state: {}])
def test_spans_without_a_result(spans, computation):
    sdk.trace_consciousness_emergence(MODULES, computation=computation)
    *modules, whole = spans()
    assert [span.name for span in modules] == ["module a", "module b"]
    assert dict(whole.attributes) == {}


class _Server(http.server.ThreadingHTTPServer):
    answer = (200, {})

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["authorization"], body))
        status, answer = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _url(server):
    return f"http://127.0.0.1:{server.server_address[1]}/"


def test_server_is_asked(server):
    result = {"group": "model", "value": 1.0, "integration_type": "iit_3.0", "valid": True, "p_value": None,
              "significant": True, "extra": {"ei": 2.0, "ei_mip": 1.5}}  # fmt: skip
    server.answer = (200, {"results": [result, {**result, "valid": False}]})
    computation = sdk.ServerComputation(_url(server), "secret")
    entry = {"value": 1.0, "brain_region": "pair", "integration_type": "iit_3.0", "effective_information": 2.0,
             "mip_value": 0.5, "significant": True}  # fmt: skip
    assert computation(MODEL) == {"phi": [entry]}
    assert computation(MODULES)["phi"][0]["brain_region"] == "model", "the group's name"
    assert computation({"optimization": 1}) == {}
    path = "/api/intelligence/compute"
    assert server.asked == [
        (path, "Bearer secret", {"kind": "phi", "integration_type": "iit_3.0", **MODEL}),
        (path, "Bearer secret", {"kind": "phi", "modules": ["a", "b"], "since": "1h"}),
    ]


def test_server_that_refuses_or_is_away(server):
    server.answer = (400, {"error": {"message": "tpm: row 3"}})
    with pytest.raises(sdk.BrainStateError, match="answered 400: tpm: row 3"):
        sdk.ServerComputation(_url(server))(MODEL)
    with pytest.raises(sdk.BrainStateError, match="cannot be asked"):
        sdk.ServerComputation(f"http://127.0.0.1:{dead_port()}")(MODEL)
    with pytest.raises(ValueError, match="endpoint is 'here'"):
        sdk.ServerComputation("here")

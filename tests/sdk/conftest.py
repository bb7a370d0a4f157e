import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from swarmscope.sdk import SdkSettings, Telemetry
from tests.sdk.otlp_receiver import Receiver, dead_port

QUICK = {"batch_delay_s": 0.01, "backoff_s": 0.02, "max_backoff_s": 0.5, "shutdown_timeout_s": 1.0}


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def make_telemetry():
    made = []

    def make(endpoint="", **options):
        telemetry = Telemetry(SdkSettings(endpoint=endpoint, **{**QUICK, **options}))
        made.append(telemetry)
        return telemetry

    yield make
    for telemetry in made:
        telemetry.shutdown(0.2)


@pytest.fixture
def telemetry(make_telemetry):
    """In use, and its endpoint is away."""
    telemetry = make_telemetry(f"http://127.0.0.1:{dead_port()}", max_retries=0, metric_interval_s=3600)
    with telemetry.use():
        yield telemetry


@pytest.fixture
def spans(telemetry):
    """Spans that have ended, in that order: a callable."""
    exporter = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter.get_finished_spans

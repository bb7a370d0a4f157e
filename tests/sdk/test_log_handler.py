import io
import logging
import logging.config
from contextlib import contextmanager

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from swarmscope.sdk.log_handler import OtlpLogHandler


@contextmanager
def _fresh_logging():
    """The root logger as in a program that has set nothing up: pytest adds its handlers to each test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def exporter():
    return InMemoryLogRecordExporter()


@pytest.fixture
def made(exporter):
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return OtlpLogHandler(provider, logging.INFO)


@pytest.fixture
def root():
    with _fresh_logging() as root:
        yield root


@pytest.fixture
def handler(made, root):
    made.install()
    yield made
    made.remove()


@pytest.fixture
def handler_alone(made):
    """A callable that gives a context in which there is no other handler."""

    @contextmanager
    def alone():
        with _fresh_logging() as root:
            made.install()
            try:
                yield root
            finally:
                made.remove()

    return alone


def _bodies(exporter):
    return [record.log_record.body for record in exporter.get_finished_logs()]


def test_record(handler, exporter):
    try:
        raise KeyError("k")
    except KeyError:
        logging.getLogger("a.b").exception("failed %d", 3, extra={"order": 7, "object": object()})
    (record,) = exporter.get_finished_logs()
    assert record.instrumentation_scope.name == "a.b"
    assert (record.log_record.body, record.log_record.severity_text) == ("failed 3", "ERROR")
    assert record.log_record.severity_number.value == 17
    attributes = dict(record.log_record.attributes)
    assert attributes["exception.type"] == "KeyError"
    assert "Traceback" in attributes["exception.stacktrace"]
    assert attributes["order"] == 7
    assert "object" not in attributes
    assert attributes["code.function.name"] == "test_record"


@pytest.mark.parametrize(
    ("level", "severity"), [(10, 5), (20, 9), (25, 9), (30, 13), (40, 17), (50, 21), (60, 21), (5, 1)]
)
def test_severities(handler, exporter, root, level, severity):
    handler.setLevel(0)
    root.setLevel(1)
    logging.getLogger("x").log(level, "x")
    assert exporter.get_finished_logs()[0].log_record.severity_number.value == severity


def test_what_sends_is_left_out(handler, exporter):
    for name in ("opentelemetry.sdk", "urllib3.connectionpool", "swarmscope.sdk", "grpc", "requests"):
        logging.getLogger(name).error("x")
    assert _bodies(exporter) == []


def test_standard_error_still_gets_what_it_got_before(handler_alone, exporter, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(stream))
    logging.lastResort.setLevel(logging.WARNING)
    with handler_alone():
        logging.getLogger("x").warning("w")
        logging.getLogger("swarmscope.sdk").warning("about sending")
        assert stream.getvalue() == "w\nabout sending\n"
        logging.getLogger("x").addHandler(own := logging.NullHandler())
        logging.getLogger("x").warning("handled elsewhere")
        logging.getLogger("x").removeHandler(own)
    assert "elsewhere" not in stream.getvalue()
    assert _bodies(exporter) == ["w", "handled elsewhere"]


def test_logging_set_up_later_works_as_without_it(handler_alone, exporter, made):
    stream = io.StringIO()
    with handler_alone() as root:
        logging.basicConfig(stream=stream, level=logging.INFO, format="%(message)s")
        logging.getLogger("x").info("i")
        assert stream.getvalue() == "i\n"
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}})
        logging.getLogger("x").error("e")
        assert made in root.handlers
    assert _bodies(exporter) == ["i", "e"]


def test_removed_without_a_trace(made):
    before = logging.basicConfig
    with _fresh_logging() as root:
        made.install()
        assert logging.basicConfig is not before
        made.remove()
        assert root.handlers == []
    assert logging.basicConfig is before


def test_record_that_cannot_be_formatted_disturbs_nobody(handler, exporter, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("x").error("%d", "no number")
    assert _bodies(exporter) == []

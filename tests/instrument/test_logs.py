import io
import json
import logging

import pytest

from swarmscope.instrument.logs import LogFormat, LogLevel, configure_logging


@pytest.fixture(autouse=True)
def _restore_root_logger():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_line_has_the_message_and_its_fields():
    stream = io.StringIO()
    configure_logging(LogLevel.INFO, LogFormat.JSON, stream)
    logging.getLogger("swarmscope.x").info("committed %d rows", 5, extra={"table": "samples", "rows": 5})
    event = json.loads(stream.getvalue())
    assert event["message"] == "committed 5 rows"
    assert (event["level"], event["logger"], event["table"], event["rows"]) == ("info", "swarmscope.x", "samples", 5)
    assert event["time"].endswith("Z")


def test_an_event_cannot_overwrite_the_lines_own_keys():
    stream = io.StringIO()
    configure_logging(LogLevel.INFO, LogFormat.JSON, stream)
    logging.getLogger("swarmscope.x").info("hello", extra={"time": "never", "level": "fake"})
    event = json.loads(stream.getvalue())
    assert event["level"] == "info"
    assert event["time"] != "never"


def test_level_hides_what_is_below():
    stream = io.StringIO()
    configure_logging(LogLevel.WARNING, LogFormat.CONSOLE, stream)
    logging.getLogger("swarmscope.x").info("quiet")
    logging.getLogger("swarmscope.x").warning("loud", extra={"port": 4600})
    assert "quiet" not in stream.getvalue()
    assert "loud port=4600" in stream.getvalue()


def test_traceback_is_in_both_formats():
    for line_format in LogFormat:
        stream = io.StringIO()
        configure_logging(LogLevel.INFO, line_format, stream)
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("swarmscope.x").exception("failed")
        assert "ValueError: broken" in stream.getvalue()

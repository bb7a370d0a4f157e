"""Structured logging on the standard library: one event a line, as JSON or for the eye.

A module logs with `logging.getLogger(__name__)` and puts facts into `extra={…}`; both formats print them as fields.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO

_BUILT_IN_FIELDS = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}
# These say on INFO what is already in our own metrics or meant for their own developers.
_TALKATIVE = ("httpx", "httpcore", "uvicorn", "numba", "asyncio", "urllib3")


class LogFormat(StrEnum):
    """How a log line is written."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """From which severity on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _BUILT_IN_FIELDS}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the event's own fields, and the error if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for `record`, without the line end."""
        event: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event.update({key: value for key, value in _fields(record).items() if key not in event})
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str, ensure_ascii=False)


class ConsoleFormatter(logging.Formatter):
    """`12:00:00.000 INFO  logger: message key=value`, and the traceback below if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for `record`, without the line end."""
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{_time(record)[11:-1]} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(level: LogLevel, line_format: LogFormat, stream: IO[str] | None = None) -> None:
    """Send every logger's events to `stream` (standard error by default). Calling again replaces the earlier set-up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if line_format is LogFormat.JSON else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if level is LogLevel.DEBUG else logging.WARNING)

"""Python's log records as OpenTelemetry's."""

from __future__ import annotations

import logging
import traceback

from opentelemetry._logs import LoggerProvider, SeverityNumber

# Records of what delivers records would never come to an end.
_OWN_LOGGERS = ("swarmscope.sdk", "opentelemetry", "urllib3", "requests", "grpc")
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


class OtlpLogHandler(logging.Handler):
    """Hands records to a logger provider, with the trace context of where they were made."""

    def __init__(self, provider: LoggerProvider, level: int) -> None:
        super().__init__(level)
        self._provider = provider
        self.addFilter(_is_of_the_program)

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a record that cannot be formatted is reported as `logging` does."""
        try:
            self._provider.get_logger(record.name).emit(
                timestamp=int(record.created * 1e9),
                severity_number=_severity(record.levelno),
                severity_text=record.levelname,
                body=record.getMessage(),
                attributes=_attributes(record),
            )
        except Exception:
            self.handleError(record)


def _is_of_the_program(record: logging.LogRecord) -> bool:
    return not record.name.startswith(_OWN_LOGGERS)


def _severity(level: int) -> SeverityNumber:
    return next((severity for least, severity in _SEVERITIES if level >= least), SeverityNumber.TRACE)


def _attributes(record: logging.LogRecord) -> dict[str, str | bool | int | float]:
    attributes: dict[str, str | bool | int | float] = {
        "code.file.path": record.pathname,
        "code.function.name": record.funcName or "",
        "code.line.number": record.lineno,
    }
    attributes |= {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD_FIELDS and isinstance(value, str | bool | int | float)
    }
    if record.exc_info and record.exc_info[0] is not None:
        attributes["exception.type"] = record.exc_info[0].__qualname__
        attributes["exception.message"] = str(record.exc_info[1])
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
    return attributes

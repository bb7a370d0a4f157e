"""Python's log records as OpenTelemetry's."""

from __future__ import annotations

import functools
import logging
import logging.config
import traceback
from collections.abc import Callable
from typing import Any

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
_SETTING_UP = ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig"))


class OtlpLogHandler(logging.Handler):
    """Hands records to a logger provider, with the trace context of where they were made.

    Installed at the root, it changes nothing else: what Python writes to standard error as long as nobody has set up
    logging is still written, and who sets logging up later finds it as if this were not there.
    """

    def __init__(self, provider: LoggerProvider, level: int) -> None:
        super().__init__(level)
        self._provider = provider
        self.addFilter(_is_of_the_program)

    def install(self) -> None:
        """Take the records of the whole program."""
        logging.getLogger().addHandler(self)
        self._originals = [(module, name, getattr(module, name)) for module, name in _SETTING_UP]
        for module, name, original in self._originals:
            setattr(module, name, self._stepping_aside(original))

    def remove(self) -> None:
        """Take none any more."""
        logging.getLogger().removeHandler(self)
        for module, name, original in self._originals:
            setattr(module, name, original)

    def _stepping_aside(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`basicConfig` does nothing when the root has a handler, and the others remove all that it has."""

        @functools.wraps(original)
        def set_up(*args: Any, **kwargs: Any) -> Any:
            root = logging.getLogger()
            was_installed = self in root.handlers
            root.removeHandler(self)
            try:
                return original(*args, **kwargs)
            finally:
                if was_installed:
                    root.addHandler(self)

        return set_up

    def handle(self, record: logging.LogRecord) -> bool:
        """As any handler; and what would have gone to standard error without this one goes there."""
        last_resort = logging.lastResort
        if last_resort is not None and record.levelno >= last_resort.level and self._is_alone(record.name):
            last_resort.handle(record)
        return bool(super().handle(record))

    def _is_alone(self, logger_name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(logger_name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True

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

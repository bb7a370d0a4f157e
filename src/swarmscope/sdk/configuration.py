"""`configure` and what it has configured."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from typing import Unpack

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import Tracer

from swarmscope.sdk.log_handler import OtlpLogHandler
from swarmscope.sdk.settings import Options, SdkSettings
from swarmscope.sdk.telemetry import SCOPE, Telemetry, used_here

_logger = logging.getLogger(SCOPE)
_lock = threading.Lock()
_configured: list[Telemetry] = []  # the latest is last
_handlers: list[OtlpLogHandler] = []
_to_shut_down: weakref.WeakSet[Telemetry] = weakref.WeakSet()


def configure(
    endpoint: str = "",
    agent: str = "",
    *,
    team: str = "",
    version: str = "",
    environment: str = "",
    **options: Unpack[Options],
) -> Telemetry:
    """Send this process's traces, metrics and logs to an OTLP endpoint.

    The first call also sets OpenTelemetry's global providers, so that spans of instrumented libraries go along.
    Calling again with equal arguments gives the same `Telemetry` as before. Calling again with others gives a new one
    that this SDK uses from then on; the earlier one goes on for whoever holds it, and OpenTelemetry's globals, which
    can be set only once, stay with the first. The options are the fields of `SdkSettings`.

    An endpoint that is away is no error. Raises ValueError for settings that cannot be meant.
    """
    settings = SdkSettings(
        endpoint=endpoint, agent=agent, team=team, version=version, environment=environment, **options
    )
    with _lock:
        for telemetry in _configured:
            if telemetry.settings == settings and not telemetry.is_shut_down:
                _configured.remove(telemetry)
                _configured.append(telemetry)
                return telemetry
        telemetry = make_telemetry(settings)
        _install(telemetry)
        return telemetry


def make_telemetry(settings: SdkSettings) -> Telemetry:
    """Telemetry of its own, for one of several agents of a process: used through `with telemetry.use():`, or directly.

    It is shut down when the program ends, like any other. Raises ValueError for settings that cannot be meant.
    """
    telemetry = Telemetry(settings)
    _to_shut_down.add(telemetry)
    return telemetry


def _install(telemetry: Telemetry) -> None:
    if not _configured:
        # OpenTelemetry refuses a second provider by itself, and logs that.
        trace.set_tracer_provider(telemetry.tracer_provider)
        metrics.set_meter_provider(telemetry.meter_provider)
        set_logger_provider(telemetry.logger_provider)
    else:
        _logger.warning("configured again, differently: OpenTelemetry's global providers stay the first ones")
    _configured.append(telemetry)
    _remove_handlers()
    if telemetry.settings.log_level is not None:
        handler = OtlpLogHandler(telemetry.logger_provider, telemetry.settings.log_level)
        handler.install()
        _handlers.append(handler)


def _remove_handlers() -> None:
    while _handlers:
        _handlers.pop().remove()


def current() -> Telemetry | None:
    """That of `with telemetry.use():`, else the latest configured that is not shut down, else None."""
    return used_here.get() or next((each for each in reversed(_configured) if not each.is_shut_down), None)


def current_tracer() -> Tracer:
    """Where spans of this SDK are made: without any configuration, OpenTelemetry's global provider's."""
    telemetry = current()
    return telemetry.tracer if telemetry is not None else trace.get_tracer(SCOPE)


def current_meter(provider: MeterProvider | None = None) -> Meter:
    """Where metrics of this SDK are made; as `current_tracer`."""
    if provider is None:
        telemetry = current()
        provider = telemetry.meter_provider if telemetry is not None else metrics.get_meter_provider()
    return provider.get_meter(SCOPE)


def dropped() -> dict[str, dict[str, int]]:
    """What the current telemetry has dropped, by signal and reason; nothing is known before `configure`."""
    telemetry = current() or (_configured[-1] if _configured else None)
    return telemetry.dropped() if telemetry is not None else {}


def flush(timeout_s: float = 10.0) -> bool:
    """Send what is queued now; whether that came to an end in time."""
    telemetry = current()
    return telemetry is None or telemetry.flush(timeout_s)


def shutdown(timeout_s: float | None = None) -> None:
    """Send what is queued and stop all telemetry of this process, within `timeout_s` (else the longest configured).

    Runs by itself when the program ends.
    """
    with _lock:
        running = [telemetry for telemetry in _to_shut_down if not telemetry.is_shut_down]
        if not running:
            return
        longest_s = max(telemetry.settings.shutdown_timeout_s for telemetry in running)
        deadline_s = time.monotonic() + (longest_s if timeout_s is None else timeout_s)
        _remove_handlers()
        for telemetry in running:
            telemetry.begin_shutdown(deadline_s)
        for telemetry in running:
            telemetry.finish_shutdown(deadline_s)


atexit.register(shutdown)

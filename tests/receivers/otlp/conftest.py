from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from swarmscope.receivers.otlp.decode import DecodedMetrics, MetricsDecoder
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingSink

T_NS = 1_700_000_000_000_000_000
T_MS = 1_700_000_000_000


class Exchange:
    """A decoder and a sink that records; requests are built from the published classes."""

    def __init__(self, **settings: Any) -> None:
        self.sink = RecordingSink()
        self.now_s = 1_700_000_000
        self.decoder = MetricsDecoder(OtlpSettings(**settings), self.sink.index, lambda: self.now_s * 10**9)

    def send(self, request: Any, tenant: str = "default") -> DecodedMetrics:
        body = request if isinstance(request, bytes) else request.SerializeToString()
        decoded = self.decoder.decode(np.frombuffer(body, np.uint8), tenant)
        self.sink.write_metrics(decoded.batch)
        self.decoder.confirm(decoded)
        return decoded

    def samples(self) -> dict[str, list[tuple[int, float]]]:
        """Samples by series text: name{labels in order}, times relative to T_MS."""
        found: dict[str, list[tuple[int, float]]] = {}
        for labels, ts_ms, value in self.sink.samples():
            found.setdefault(series_text(labels), []).append((ts_ms - T_MS, value))
        return found


def series_text(labels: dict[str, str]) -> str:
    inside = ",".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels['__name__']}{{{inside}}}"


class Request:
    """One resource, one scope; add metrics with the methods."""

    def __init__(self, resource: dict[str, Any] | None = None, scope: str = "") -> None:
        self.message: Any = ExportMetricsServiceRequest()
        group = self.message.resource_metrics.add()
        set_attributes(group.resource, resource or {})
        self.scope = group.scope_metrics.add()
        if scope:
            self.scope.scope.name = scope

    def metric(self, name: str, unit: str = "", description: str = "") -> Any:
        return self.scope.metrics.add(name=name, unit=unit, description=description)

    def SerializeToString(self) -> bytes:  # noqa: N802
        return self.message.SerializeToString()


def set_attributes(holder: Any, attributes: dict[str, Any], field: str = "attributes") -> Any:
    for key, value in attributes.items():
        pair = getattr(holder, field).add(key=key)
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(pair.value, kind, value)
    return holder


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def make_exchange() -> Callable[..., Exchange]:
    return Exchange


@pytest.fixture
def make_request() -> Callable[..., Request]:
    return Request


@pytest.fixture
def attributed() -> Callable[..., Any]:
    return set_attributes

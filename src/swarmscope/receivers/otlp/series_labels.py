"""Labels of series that were never seen before: the only place where attributes are decoded.

Which label wins when two have one name: attributes of the point, then promoted resource attributes (which never
overwrite), scope labels, `job` and `instance`, and last the metric name, `le` and `quantile`; as in Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.receivers.otlp.attribute_text import to_attribute_text, to_plain_number_text
from swarmscope.receivers.otlp.float_samples import Role
from swarmscope.receivers.otlp.names import to_label_name
from swarmscope.receivers.otlp.settings import OtlpSettings

TARGET_INFO = "target_info"
_NAMESPACE, _NAME, _INSTANCE = "service.namespace", "service.name", "service.instance.id"
_IDENTIFYING = (_NAMESPACE, _NAME, _INSTANCE)
_MESSAGES: dict[str, Any] = {
    "NumberDataPoint": metrics_pb2.NumberDataPoint,
    "HistogramDataPoint": metrics_pb2.HistogramDataPoint,
    "ExponentialHistogramDataPoint": metrics_pb2.ExponentialHistogramDataPoint,
    "SummaryDataPoint": metrics_pb2.SummaryDataPoint,
    "Resource": resource_pb2.Resource,
    "InstrumentationScope": common_pb2.InstrumentationScope,
    "KeyValue": common_pb2.KeyValue,
}
_MAX_REMEMBERED = 8192  # label names and resources; far more than a fleet has, so clearing all is rare
_SUFFIXES: dict[int, str] = {Role.BUCKET: "_bucket", Role.SUM: "_sum", Role.COUNT: "_count"}


def decode_part(message: str, body: NDArray[Any], start: int, end: int) -> Any:
    """One message inside a scanned body. Raises MalformedInputError, for instance where text is not UTF-8."""
    try:
        return _MESSAGES[message].FromString(body[start:end].tobytes())
    except DecodeError as error:
        raise MalformedInputError(f"{message} at byte {start}: {error}") from error


class ResourceLabels:
    """What a resource adds to its series, and the labels of its `target_info`; None where there is none to write."""

    __slots__ = ("identity", "promoted", "target_info")

    def __init__(
        self, identity: dict[str, str], promoted: list[tuple[str, str]], target_info: dict[str, str] | None
    ) -> None:
        self.identity = identity
        self.promoted = promoted
        self.target_info = target_info


class LabelMaker:
    """Turns attributes into labels under one set of settings; thread-safe, remembers label names."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._names: dict[str, str] = {}

    def label_name(self, key: str) -> str:
        """An attribute's label name. Raises ValueError for a key that cannot be one."""
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= _MAX_REMEMBERED:
                self._names.clear()
            name = self._names[key] = to_label_name(key, self._settings.translation_strategy)
        return name

    def attribute_labels(self, attributes: Iterable[Any]) -> dict[str, str]:
        """Attributes as labels; values of keys that come to one name are joined with ";", in order of the keys."""
        # Fast path: most values are strings, and those that are not read as empty strings.
        texts = {pair.key: pair.value.string_value or to_attribute_text(pair.value) for pair in attributes}
        if not self._settings.translation_strategy.escapes:
            if "" in texts:
                self.label_name("")
            return texts
        labels: dict[str, str] = {}
        for key in sorted(texts):
            name = self.label_name(key)
            labels[name] = f"{labels[name]};{texts[key]}" if name in labels else texts[key]
        return labels

    def resource_labels(self, resource: Any) -> ResourceLabels:
        """What a `Resource` message says of its series."""
        texts = {pair.key: to_attribute_text(pair.value) for pair in resource.attributes}
        identity = {}
        if texts.get(_NAME):
            identity["job"] = f"{texts[_NAMESPACE]}/{texts[_NAME]}" if texts.get(_NAMESPACE) else texts[_NAME]
        if texts.get(_INSTANCE):
            identity["instance"] = texts[_INSTANCE]
        return ResourceLabels(identity, self._promoted(texts), self._target_info(resource, texts, identity))

    def _promoted(self, texts: dict[str, str]) -> list[tuple[str, str]]:
        settings = self._settings
        if settings.promote_all_resource_attributes:
            chosen = [key for key in texts if key not in settings.ignore_resource_attributes]
        else:
            chosen = [key for key in settings.promote_resource_attributes if key in texts]
        return [(self.label_name(key), texts[key]) for key in sorted(chosen)]

    def _target_info(self, resource: Any, texts: dict[str, str], identity: dict[str, str]) -> dict[str, str] | None:
        others = set(texts) - set(_IDENTIFYING)
        if not self._settings.target_info or not identity or not others:
            return None
        keep = self._settings.keep_identifying_resource_attributes
        pairs = [pair for pair in resource.attributes if keep or pair.key not in _IDENTIFYING]
        labels = {**self.attribute_labels(pairs), **identity, METRIC_NAME: TARGET_INFO}
        return {name: text for name, text in labels.items() if text}

    def scope_labels(self, scope: Any, schema_url: str) -> dict[str, str]:
        """Labels of an `InstrumentationScope`, empty unless they are promoted."""
        if not self._settings.promote_scope_metadata or not scope.name:
            return {}
        labels = {f"otel_scope_{key}": value for key, value in self._scope_attributes(scope).items()}
        named = {
            "otel_scope_name": scope.name,
            "otel_scope_version": scope.version,
            "otel_scope_schema_url": schema_url,
        }
        return {**labels, **named}

    def _scope_attributes(self, scope: Any) -> dict[str, str]:
        prefix = "otel_scope_"
        return {
            self.label_name(prefix + pair.key).removeprefix(prefix): to_attribute_text(pair.value)
            for pair in scope.attributes
        }

    def point_labels(self, point: Any, resource: ResourceLabels, scope: dict[str, str]) -> dict[str, str]:
        """Labels that all series of a point have."""
        labels = self.attribute_labels(point.attributes) if point.attributes else {}
        for name, value in resource.promoted:
            labels.setdefault(name, value)
        labels.update(scope)
        labels.update(resource.identity)
        return {name: text for name, text in labels.items() if text}


def to_series_labels(shared: dict[str, str], family: str, role: int, bound: float) -> dict[str, str]:
    """Labels of one of a point's series."""
    labels = shared.copy()
    labels[METRIC_NAME] = family + _SUFFIXES.get(role, "")
    if role == Role.BUCKET:
        labels["le"] = to_plain_number_text(bound)
    elif role == Role.QUANTILE:
        labels["quantile"] = to_plain_number_text(bound)
    return labels

"""The processes of the pretended fleet, as OTLP's resources, and values in OTLP's form."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from swarmscope import __version__
from swarmscope.app.demo.simulation.members import ROLES
from swarmscope.app.demo.wire.attributes import Value

_TEAMS = {role.name: role.team for role in ROLES}
# What the teams' instrumentation calls itself; other services have the demo's own.
_SCOPES = {"critic": "openinference.instrumentation.openai", "tester": "opentelemetry.instrumentation.openai"}
SCOPE = "swarmscope.demo"


def any_value(value: Value) -> AnyValue:
    """A value in OTLP's form."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Attributes in OTLP's form."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


class Resources:
    """Resources of one run. Runs are told apart by `run`, so that their counters are different series."""

    def __init__(self, run: str) -> None:
        self._run = run

    def resource(self, service: str, version: str) -> Resource:
        """The process of a role, or of a tool."""
        told: dict[str, Value] = {
            "service.name": service, "service.namespace": "demo-fleet", "service.version": version or __version__,
            "service.instance.id": f"{service}-{self._run}", "agi.environment": "demo", "agi.version": __version__,
            "telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry",
        }  # fmt: skip
        if service in _TEAMS:
            told["agent.team"] = _TEAMS[service]
        return Resource(attributes=key_values(told))

    @staticmethod
    def scope(service: str) -> InstrumentationScope:
        """What made a service's spans."""
        return InstrumentationScope(name=_SCOPES.get(service, SCOPE), version=__version__)

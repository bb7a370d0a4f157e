"""A brain state as spans: one for each module and each pathway."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sized

from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.agent_spans import PHI
from swarmscope.sdk.scopes import Scope, SpanPlan

_logger = logging.getLogger("swarmscope.sdk")


def trace_consciousness_emergence(brain_state: object) -> None:
    """Spans of a brain state, in the shape of `sdk.BRAIN_STATE_SCHEMA`: a mapping, or an object with such fields.

    Below one span `consciousness_emergence` there is a span `module NAME` (`module.name`, `module.activity`,
    `module.connections`: how many) for each of `modules`, and one `pathway NAME` (`pathway.strength`,
    `pathway.latency` in seconds) for each of `pathways`. The highest of the state's `phi`, if it has any, is told as
    `intelligence.phi`, which the alert hook watches. What a state does not say is not told; nothing is raised.
    """
    try:
        attributes = _numbers({PHI: _highest_phi(brain_state)})
        with Scope(SpanPlan("consciousness_emergence", attributes)):
            for module in _items(brain_state, "modules"):
                Scope(_module_plan(module)).end()
            for pathway in _items(brain_state, "pathways"):
                Scope(_pathway_plan(pathway)).end()
    except Exception:
        _logger.warning("a brain state could not be traced", exc_info=True)


def _module_plan(module: object) -> SpanPlan:
    name = str(_field(module, "name") or "")
    connections = _field(module, "connections")
    if isinstance(connections, Sized) and not isinstance(connections, str):
        connections = len(connections)
    attributes = _numbers({"module.activity": _field(module, "activity"), "module.connections": connections})
    return SpanPlan(f"module {name}", {"module.name": name, **attributes})


def _pathway_plan(pathway: object) -> SpanPlan:
    ends = {f"pathway.{end}": str(_field(pathway, end) or "") for end in ("source", "target")}
    name = str(_field(pathway, "name") or "-".join(filter(None, ends.values())))
    attributes: dict[str, AttributeValue] = {key: text for key, text in ends.items() if text}
    attributes["pathway.name"] = name
    attributes |= _numbers(
        {"pathway.strength": _field(pathway, "strength"), "pathway.latency": _field(pathway, "latency")}
    )
    return SpanPlan(f"pathway {name}", attributes)


def _highest_phi(brain_state: object) -> object:
    values = [_field(each, "value") for each in _items(brain_state, "phi")]
    return max((value for value in values if isinstance(value, int | float)), default=None)


def _items(state: object, name: str) -> list[object]:
    items = _field(state, name)
    return list(items) if isinstance(items, Iterable) and not isinstance(items, str | Mapping) else []


def _field(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _numbers(values: dict[str, object]) -> dict[str, AttributeValue]:
    return {key: value for key, value in values.items() if isinstance(value, int | float)}

"""A brain state as spans: one for each module and each pathway."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sized

from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.agent_spans import PHI
from swarmscope.sdk.intelligence.brain_state import BrainState, check_brain_state
from swarmscope.sdk.intelligence.computation import MODEL_PARTS, Computation, compute
from swarmscope.sdk.scopes import Scope, SpanPlan

_logger = logging.getLogger("swarmscope.sdk")


def trace_consciousness_emergence(brain_state: object, computation: Computation | None = None) -> None:
    """Spans of a brain state, in the shape of `sdk.BRAIN_STATE_SCHEMA`: a mapping, or an object with such fields.

    Below one span `consciousness_emergence` there is a span `module NAME` (`module.name`, `module.activity`,
    `module.connections`: how many) for each of `modules`, and one `pathway NAME` (`pathway.strength`,
    `pathway.latency` in seconds) for each of `pathways`. The highest of the state's `phi`, if it has any, is told as
    `intelligence.phi`, which the alert hook watches. What a state does not say is not told; nothing is raised.

    With a `computation`, the first Φ that it finds of the state is told as `phi`, with `integration_type`,
    `effective_information` and `mip_value` (bits) where it computed them; it counts for `intelligence.phi`.
    """
    try:
        with Scope(SpanPlan("consciousness_emergence")) as span:
            found = _computed(brain_state, computation)
            span.set_attributes(_numbers({PHI: _highest([*_items(brain_state, "phi"), *found])}))
            span.set_attributes(_computed_attributes(found))
            for module in _items(brain_state, "modules"):
                Scope(_module_plan(module)).end()
            for pathway in _items(brain_state, "pathways"):
                Scope(_pathway_plan(pathway)).end()
    except Exception:
        _logger.warning("a brain state could not be traced", exc_info=True)


def _computed(brain_state: object, computation: Computation | None) -> list[object]:
    """The entries of Φ that a computation finds; none, and a warning, where it fails."""
    if computation is None:
        return []
    try:
        state = _to_mapping(brain_state)
        return list(compute(computation, check_brain_state(state)).get("phi", ())) if state else []
    except Exception as error:
        _logger.warning("Φ of a brain state could not be computed: %s", error)
        return []


def _to_mapping(brain_state: object) -> BrainState:
    """What a computation reads of a state: its model, and its modules' activities."""
    state: dict[str, object] = {}
    model = _field(brain_state, "model")
    if model is not None:
        parts = {name: _plain(_field(model, name)) for name in MODEL_PARTS}
        state["model"] = {name: part for name, part in parts.items() if part is not None}
    modules = _items(brain_state, "modules")
    if modules:
        state["modules"] = [{name: _field(each, name) for name in ("name", "activity")} for each in modules]
    timestamp = _field(brain_state, "timestamp")
    return state if timestamp is None else {**state, "timestamp": timestamp}


def _plain(part: object) -> object:
    """An array of NumPy's as lists."""
    to_list = getattr(part, "tolist", None)
    return to_list() if to_list is not None else part


def _computed_attributes(found: list[object]) -> dict[str, AttributeValue]:
    if not found:
        return {}
    first = found[0]
    numbers = {"phi": _field(first, "value")}
    numbers |= {name: _field(first, name) for name in ("effective_information", "mip_value")}
    return {**_numbers(numbers), "integration_type": str(_field(first, "integration_type"))}


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


def _highest(phis: Iterable[object]) -> object:
    values = [_field(each, "value") for each in phis]
    return max((value for value in values if isinstance(value, int | float)), default=None)


def _items(state: object, name: str) -> list[object]:
    items = _field(state, name)
    return list(items) if isinstance(items, Iterable) and not isinstance(items, str | Mapping) else []


def _field(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _numbers(values: dict[str, object]) -> dict[str, AttributeValue]:
    return {key: value for key, value in values.items() if isinstance(value, int | float)}

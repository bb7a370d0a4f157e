"""How well a group works together: the components, and what else is told beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from swarmscope.analysis.intelligence.coordination.components import ActivityFindings, measure_coordination
from swarmscope.analysis.intelligence.coordination.leave_one_out import leave_one_out
from swarmscope.analysis.intelligence.coordination.redundancy import effective_agents
from swarmscope.analysis.intelligence.coordination.transfer_entropy import Transfer, transfer_entropies
from swarmscope.analysis.intelligence.coordination.uplift import collective_uplift, outcomes_of_traces
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate, refused
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.bin_width import activities_of_spans
from swarmscope.analysis.intelligence.telemetry.binarising import to_states
from swarmscope.intelligence.fleet_window import FleetWindow

_MAX_SHOWN = 40  # agents of whom pairs and losses are looked at: a sweep over all spans each


def measure_group(window: FleetWindow) -> Estimate:
    """The composite, and in `extra` components, transfers, redundancy, uplift, and what each agent's absence costs."""
    n_agents = len(window.agents)
    if n_agents < 2:
        return refused(f"too_few_agents: {n_agents}", sizes=(n_agents, len(window.spans.agent)))
    told: dict[str, Any] = {"units": list(window.agents[:_MAX_SHOWN])}
    activity = _activity(window)
    transfer = _transfers(activity) if activity is not None else None
    try:
        found = measure_coordination(window.spans, n_agents, None, ActivityFindings(transfer))
    except ModelError as error:
        return refused(f"model: {error}", sizes=(n_agents, len(window.spans.agent)))
    told |= _alone(window, n_agents)
    if activity is not None:
        told |= _redundancy(activity)
    return replace(found.estimate, extra={**told, **found.estimate.extra})


def _activity(window: FleetWindow) -> Activity | None:
    n_agents = len(window.agents)
    if n_agents > _MAX_SHOWN:
        return None
    columns = window.columns(np.arange(n_agents, dtype=np.int32))
    try:
        return activities_of_spans(columns, window.agents, *window.range_ns).chosen
    except ModelError:
        return None


def _transfers(activity: Activity) -> Transfer | None:
    states = to_states(activity)
    try:
        return transfer_entropies(states.on.astype(np.float64)) if len(states.names) > 1 else None
    except ModelError:
        return None


def _redundancy(activity: Activity) -> dict[str, Any]:
    try:
        found = effective_agents(activity.events)
    except ModelError:
        return {}
    return {"redundancy": {"effective_agents": found.effective_agents, "redundancy": found.redundancy}}


def _alone(window: FleetWindow, n_agents: int) -> dict[str, Any]:
    """What the team adds to its best agent, and what it has without each."""
    told: dict[str, Any] = {}
    try:
        uplift = collective_uplift(outcomes_of_traces(window.spans))
        told["uplift"] = {name: _plain(value) for name, value in uplift._asdict().items()}
    except ModelError as error:
        told["uplift"] = {"reason": str(error)}
    if n_agents <= _MAX_SHOWN:
        told["without_agent"] = [
            {
                "agent": window.agents[each.agent],
                "composite": each.composite,
                "loss": each.loss,
                "work_share": each.work_share,
            }
            for each in leave_one_out(window.spans, n_agents)
        ]
    return told


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value

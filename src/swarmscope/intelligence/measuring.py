"""From what agents did to estimates of one kind; works on arrays alone, and is called in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from swarmscope.analysis.intelligence.coherence.regions import CoherenceOptions, measure_coherence
from swarmscope.analysis.intelligence.emergence.score import EmergenceOptions, measure_emergence
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate, refused
from swarmscope.analysis.intelligence.iit3.network import check_network, check_state
from swarmscope.analysis.intelligence.iit3.phi import compute_phi
from swarmscope.analysis.intelligence.information.effective_information import integrated_effective_information
from swarmscope.analysis.intelligence.telemetry.activity import Activity, activity_of_states
from swarmscope.analysis.intelligence.telemetry.bin_width import activities_of_spans
from swarmscope.analysis.intelligence.telemetry.binarising import to_states
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import MAX_EXACT_UNITS, PhiOptions
from swarmscope.analysis.intelligence.telemetry.units import Units, declared_units, most_active_units
from swarmscope.intelligence.brain_window import BrainWindow
from swarmscope.intelligence.coordinating import measure_group
from swarmscope.intelligence.fleet_window import FleetWindow, to_fleet_window
from swarmscope.intelligence.groups import Group
from swarmscope.intelligence.measurement import KINDS, DeclaredModel, Measurement, Measuring

DECLARED = "declared"  # the estimator of what was computed of a declared model
Progress = Callable[[float], None]
_MAX_REGIONS = 16
_MAX_EI_UNITS = 12
# Of so many units a window can be long enough.
_UNITS: Mapping[str, int] = {"auto": 5, "iit_3.0": 5, "ei_mip": 8, "phi_g": 24}


def measure(asked: Measurement, progress: Progress = lambda part: None) -> list[dict[str, Any]]:
    """One or more estimates a group, as JSON can hold them, with the name of the group as `group`.

    What cannot be measured of telemetry is not valid and says why. Raises ModelError for a model that is none.
    """
    if asked.model is not None:
        return [_phi_of_model(asked.model, asked.how, progress)]
    if asked.brain is not None:
        found = _measure_modules(asked, asked.brain, progress)
        return [{"group": asked.groups[0].name, **estimate.to_json()} for estimate in found]
    if asked.window is None or asked.kind not in KINDS:
        raise ValueError(f"{asked.kind!r} of nothing")
    results: list[dict[str, Any]] = []
    whole = to_fleet_window(asked.window)
    for at, group in enumerate(asked.groups):

        def part_done(part: float, at: int = at) -> None:
            progress((at + part) / len(asked.groups))

        window = whole.of_agents(group.agents)
        estimates = _measure_group(asked, group, window, part_done)
        results += [{"group": group.name, **estimate.to_json()} for estimate in estimates]
    return results


def _measure_modules(asked: Measurement, brain: BrainWindow, progress: Progress) -> list[Estimate]:
    """Modules of brain states: a bin is a state, whose levels are what units did."""
    if len(brain.names) < 2 or len(brain.levels) < 2:
        return [refused(f"too_few_states: {len(brain.levels)} of {len(brain.names)} modules")]
    most = _most_units(asked)
    # Those that are the most active; levels of several modules have no sum that means anything.
    chosen = np.argsort(-brain.levels.mean(axis=0), kind="stable")[:most]
    brain = brain.of_modules(tuple(brain.names[at] for at in sorted(chosen.tolist())))
    seen = activity_of_states(brain.levels, brain.names, brain.bin_ns)
    told = {"units": list(brain.names), "unit_rule": "most_active", "bin_rule": "states"}
    return [
        replace(each, bin_ns=each.bin_ns or brain.bin_ns, extra={**told, **each.extra})
        for each in _measure_activity(asked.kind, asked.how, (seen, ()), progress)
    ]


def _measure_group(asked: Measurement, group: Group, window: FleetWindow, progress: Progress) -> list[Estimate]:
    kind, how = asked.kind, asked.how
    if kind == "coordination":
        return [measure_group(window)]
    try:
        units = _units(group, window, _most_units(asked))
        columns = window.columns(units.unit_of)
        seen = activities_of_spans(columns, units.names, *window.range_ns, how.bin_ns)
    except ModelError as error:
        told_type = "iit_3.0" if how.integration_type == "auto" else how.integration_type
        integration_type = told_type if kind == "phi" else ""
        return [refused(f"no_units: {error}", integration_type=integration_type, extra={"agents": list(window.agents)})]
    told = {"units": list(units.names), "unit_rule": units.rule, "bin_rule": seen.width.rule}
    return [
        replace(each, bin_ns=each.bin_ns or seen.chosen.bin_ns, extra={**told, **each.extra})
        for each in _measure_activity(kind, how, (seen.chosen, (seen.halved, seen.doubled)), progress)
    ]


def _measure_activity(
    kind: str, how: Measuring, seen: tuple[Activity, Sequence[Activity]], progress: Progress
) -> list[Estimate]:
    """`seen` is the activity in bins of the chosen width, and in others."""
    chosen, others = seen
    if kind == "phi":
        options = PhiOptions(
            integration_type=how.integration_type, n_surrogates=how.n_surrogates, n_resamples=how.n_resamples,
            max_units=max(how.max_units, MAX_EXACT_UNITS),
        )  # fmt: skip
        return [measure_phi(chosen, options, other_widths=others, progress=progress)]
    if kind == "emergence":
        return [_emergence(chosen, how, progress)]
    found = measure_coherence(chosen.events, chosen.names, CoherenceOptions(bin_ns=chosen.bin_ns))
    if not found.estimates:
        return [refused("no_coherence")]
    told = {"regions": list(found.names), "by_region": found.of_regions()[0].tolist() if found.names else []}
    return [replace(each, extra={**told, **each.extra}) for each in found.estimates]


def _emergence(activity: Activity, how: Measuring, progress: Progress) -> Estimate:
    states = to_states(activity)
    if len(states.names) < 2:
        left_out = ", ".join(states.dropped) or "there are no others"
        return refused(f"constant_units: {left_out}", sizes=(len(states.names), len(states.on)))
    varying = activity.of_units([activity.names.index(name) for name in states.names])
    options = EmergenceOptions(n_surrogates=how.n_surrogates, n_resamples=how.n_resamples)
    events = np.rint(varying.events).astype(np.int64)
    return measure_emergence(
        states.on.astype(np.int64), options, events=events, bin_ns=activity.bin_ns, progress=progress
    )


def _most_units(asked: Measurement) -> int:
    if asked.kind == "coherence":
        return _MAX_REGIONS
    return asked.how.max_units or _UNITS[asked.how.integration_type]


def _units(group: Group, window: FleetWindow, max_units: int) -> Units:
    if group.modules:
        return declared_units(window.agents, dict(group.modules))
    if len(window.agents) < 2:
        raise ModelError(f"{len(window.agents)} agents were seen, and two are the least")
    return most_active_units(window.agents, window.busy_ns(), max_units)


def _phi_of_model(model: DeclaredModel, how: Measuring, progress: Progress) -> dict[str, Any]:
    """Exact, of a declared model; `extra` holds `ei`, `mip` and `concepts`."""
    network = check_network(model.tpm, model.cm)
    if how.integration_type == "phi_g":
        raise ModelError("integration_type: phi_g is of states that were seen, not of a declared tpm")
    if how.integration_type == "ei_mip":
        mip = integrated_effective_information(network.tpm)
        phi, kind = mip.phi, "ei_mip"
        told: dict[str, Any] = {"ei": mip.ei, "normalised": mip.normalised, "mip": {"parts": [*map(list, mip.parts)]}}
    else:
        found = compute_phi(network, check_state(model.state, network.n_units), progress=progress)
        phi, kind, told = found.phi, "iit_3.0", found.to_json()
        if network.n_units <= _MAX_EI_UNITS:
            told["ei_mip"] = integrated_effective_information(network.tpm).phi
    estimate = Estimate(
        phi, phi, phi > 0, estimator=DECLARED, integration_type=kind, n_units=network.n_units, extra=told
    )
    return {"group": "model", **estimate.to_json()}

"""`swarmscope intelligence … --model FILE`: computes here, with no server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.text import Text

from swarmscope.analysis.intelligence.brain_states import DECLARED
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate
from swarmscope.analysis.intelligence.iit3.network import check_network, select_subsystem
from swarmscope.analysis.intelligence.iit3.phi import MAX_UNITS, compute_phi
from swarmscope.analysis.intelligence.information.effective_information import integrated_effective_information
from swarmscope.analysis.intelligence.telemetry.activity import activity_of_states
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import IntegrationType, PhiOptions
from swarmscope.app.client.bars import Bar, print_bars, spell_number
from swarmscope.app.client.fleet_peer import write_json
from swarmscope.app.client.intelligence_command import INTEGRATION_TYPES, print_table_of_estimates
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.model_files import DeclaredModel, SeenStates, read_model_file

_SLOW_UNITS = 7  # from here on a progress is told
_TELEMETRY = ("raw", "significant", "valid", "reason", "estimator", "integration_type", "n_units", "n_samples",
              "bias_corrected", "p_value", "ci_low", "ci_high", "extra")  # fmt: skip


def run_model_phi(path: Path, integration_type: str, *, is_json: bool) -> int:
    """Compute Φ of what a file holds and print it; 2 where the file holds nothing that has one."""

    def work(messages: Console) -> None:
        if integration_type not in INTEGRATION_TYPES:
            words = f"--integration-type is one of {', '.join(INTEGRATION_TYPES)}, not {integration_type!r}"
            raise QueryProblem(words, EXIT_MISUSED)
        try:
            found = read_model_file(path)
            if isinstance(found, DeclaredModel):
                _print_declared(found, _phi_of_declared(found, integration_type, messages), is_json=is_json)
            else:
                _print_seen(path, found, cast(IntegrationType, integration_type), is_json=is_json)
        except ModelError as error:
            words = str(error)
            raise QueryProblem(words if words.startswith(f"{path}:") else f"{path}: {words}", EXIT_MISUSED) from None

    return exit_code_of(work, "")


def _phi_of_declared(model: DeclaredModel, integration_type: str, messages: Console) -> dict[str, Any]:
    """The four of `--json`, in this order."""
    n_units = model.network.n_units if model.subsystem is None else len(model.subsystem)
    if integration_type == "phi_g":
        raise ModelError("phi_g is of states that were seen, not of a declared tpm")
    if integration_type == "ei_mip" or (integration_type == "auto" and n_units > MAX_UNITS):
        units = select_subsystem(model.network, model.state, model.subsystem)
        mip = integrated_effective_information(units.tpm)
        parts = [[units.units[unit] for unit in part] for part in mip.parts]
        return {"phi": mip.phi, "ei": mip.ei, "mip": {"parts": parts}, "concepts": []}
    progress = None
    if n_units >= _SLOW_UNITS and messages.is_terminal:
        progress = lambda part: messages.print(f"{part:4.0%}", end="\r")  # noqa: E731
    result = compute_phi(model.network, model.state, subsystem=model.subsystem, progress=progress).to_json()
    return {name: result[name] for name in ("phi", "ei", "mip", "concepts")}


def _print_declared(model: DeclaredModel, found: Mapping[str, Any], *, is_json: bool) -> None:
    if is_json:
        write_json(found)
        return
    console = Terminal()
    kind = "ei_mip" if "parts" in (found["mip"] or {}) else "iit_3.0"
    estimate = Estimate(
        found["phi"],
        found["phi"],
        found["phi"] > 0,
        estimator=DECLARED,
        integration_type=kind,
        n_units=len(model.subsystem or model.names),
    )
    state = "".join(map(str, model.state))
    print_table_of_estimates("phi", [{"group": f"state {state}", **estimate.to_json()}], console)
    console.print()
    _print_structure(found, model.names, console)


def _print_structure(found: Mapping[str, Any], names: Sequence[str], console: Console) -> None:
    """Effective information, the cut, and a bar for each concept."""
    mip = found["mip"]
    if mip is None:
        cut = "none: the units are not one system"
    elif "parts" in mip:
        cut = " | ".join(_joined(part, names) for part in mip["parts"])
    else:
        cut = f"{_joined(mip['from'], names)} → {_joined(mip['to'], names)}"
    lines = [] if found["ei"] is None else [f"effective information  {spell_number(found['ei'])} bits"]
    lines.append(f"minimum partition      {cut}")
    concepts = found["concepts"]
    if concepts:
        lines.append(f"concepts               {len(concepts)}, φ by mechanism")
    console.print(Text("\n".join(lines)), soft_wrap=True, highlight=False)
    print_bars([Bar(_joined(each["mechanism"], names), each["phi"]) for each in concepts], console)


def _print_seen(path: Path, seen: SeenStates, integration_type: IntegrationType, *, is_json: bool) -> None:
    options = PhiOptions(integration_type=integration_type)
    estimate = measure_phi(activity_of_states(seen.levels, seen.names), options)
    if math.isnan(estimate.raw):
        raise ModelError(estimate.reason)
    structure = _structure_of(estimate)
    if is_json:
        told = estimate.to_json()
        write_json({"phi": estimate.value, **structure, **{key: told[key] for key in _TELEMETRY}})
        return
    console = Terminal()
    print_table_of_estimates("phi", [{"group": path.name, **estimate.to_json()}], console)
    if structure["mip"] is not None:
        console.print()
        units = estimate.extra.get("units")
        _print_structure(structure, [str(unit) for unit in units] if isinstance(units, list) else seen.names, console)


def _structure_of(estimate: Estimate) -> dict[str, Any]:
    """`ei`, `mip` and `concepts` of the model that was fitted; None and none where there is no such."""
    extra = estimate.extra
    model, parts, units = (extra.get(name) for name in ("model", "parts", "units"))
    if not isinstance(model, Mapping) or not estimate.valid:
        cut = None
        if isinstance(parts, list) and isinstance(units, list) and estimate.valid:
            cut = {"parts": [[units.index(unit) for unit in part] for part in parts]}
        return {"ei": None, "mip": cut, "concepts": []}
    network = check_network(model["tpm"], model["cm"])
    if estimate.integration_type == "iit_3.0":
        result = compute_phi(network, np.asarray(model["state"])).to_json()
        return {name: result[name] for name in ("ei", "mip", "concepts")}
    mip = integrated_effective_information(network.tpm)
    return {"ei": mip.ei, "mip": {"parts": [list(part) for part in mip.parts]}, "concepts": []}


def _joined(units: Sequence[int], names: Sequence[str]) -> str:
    chosen = [names[unit] for unit in units]
    return "".join(chosen) if all(len(name) == 1 for name in chosen) else ", ".join(chosen)

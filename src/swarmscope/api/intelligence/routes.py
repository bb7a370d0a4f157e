"""Everything under `/api/intelligence`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from starlette.routing import BaseRoute

from swarmscope.analysis.intelligence.telemetry.options import IntegrationType
from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.incidents.endpoint import Call, JsonApiParts, json_route
from swarmscope.api.request_times import parse_duration_ns, parse_time_ns
from swarmscope.intelligence.agent_window import read_window
from swarmscope.intelligence.computer import (
    ComputationBusyError,
    ComputationEndedError,
    ComputationFailedError,
    Computer,
)
from swarmscope.intelligence.groups import Group, chosen_group
from swarmscope.intelligence.jobs import Job, Jobs, TooManyJobsError
from swarmscope.intelligence.measurement import KINDS, MODULE_KINDS, DeclaredModel, Measurement, Measuring
from swarmscope.intelligence.worker import IntelligenceWorker
from swarmscope.model.contracts import Clock

# A TPM of 12 units has 50,000 numbers.
MAX_BODY_BYTES = 4 << 20
_HOUR_NS = 3600 * 1_000_000_000
_MAX_LIVE_UNITS, _MAX_UNITS = 6, 8  # of Φ by IIT 3.0: answered at once, and as a job
_UNITS = {"auto": 8, "iit_3.0": 8, "ei_mip": 12, "phi_g": 64}


class IntelligenceApiParts(NamedTuple):
    """What the routes work with."""

    worker: IntelligenceWorker
    computer: Computer
    jobs: Jobs
    clock: Clock


def intelligence_routes(parts: IntelligenceApiParts, shared: JsonApiParts) -> list[BaseRoute]:
    """The latest estimates, a measurement on request, and long ones as jobs."""

    def latest(call: Call) -> Any:
        kind = call.chosen("kind", lambda: list(KINDS))
        found = parts.worker.latest(call.tenant)
        return {
            "results": [_result(each) for each in found.results if not kind or each["kind"] == kind],
            "waiting": found.waiting,
        }

    def compute(call: Call) -> Any:
        return _compute(parts, call)

    def job(call: Call) -> Any:
        return _job(parts.jobs, call).to_json()

    def cancel(call: Call) -> Any:
        found = _job(parts.jobs, call)
        parts.jobs.cancel(found)
        return found.to_json()

    return [
        json_route("/api/intelligence", latest, shared),
        json_route("/api/intelligence/compute", compute, shared, "POST"),
        json_route("/api/intelligence/jobs/{id}", job, shared),
        json_route("/api/intelligence/jobs/{id}", cancel, shared, "DELETE"),
    ]


def _compute(parts: IntelligenceApiParts, call: Call) -> dict[str, Any]:
    kind = call.text("kind") or "phi"
    if kind not in KINDS:
        raise refuse(f"'kind' is one of {', '.join(KINDS)}, not {kind!r}")
    how = _how(parts, call)
    told: dict[str, Any] = {"kind": kind}
    if "model" in call.body:
        if kind != "phi":
            raise refuse(f"a 'model' has phi, not {kind}")
        measurement = Measurement(kind, how, model=_model(call.body["model"]))
        n_units = _n_units(measurement.model)
    else:
        start_ns, end_ns = _range(call, parts.clock.now_ns())
        measurement = _of_telemetry(parts, call, (kind, how), (start_ns, end_ns))
        n_units = how.max_units
        told |= {"start": time_json(start_ns), "end": time_json(end_ns)}
    is_long = kind == "phi" and how.integration_type in ("auto", "iit_3.0") and n_units > _MAX_LIVE_UNITS
    if is_long:
        try:
            return told | {"job": parts.jobs.begin(call.tenant, measurement).to_json()}
        except TooManyJobsError as error:
            raise refuse(str(error), 429) from None
    try:
        done = parts.computer.measure(measurement, parts.worker.settings.timeout_s)
    except ComputationFailedError as error:
        raise refuse(str(error)) from None
    except ComputationBusyError as error:
        raise refuse(str(error), 429) from None
    except ComputationEndedError as error:
        raise refuse(str(error), 504) from None
    return told | {"results": done.results, "cpu_seconds": done.cpu_s}


def _of_telemetry(
    parts: IntelligenceApiParts, call: Call, what: tuple[str, Measuring], range_ns: tuple[int, int]
) -> Measurement:
    sources, settings = parts.worker.sources, parts.worker.settings
    chosen = (call.listed("agents"), call.listed("teams"), call.listed("modules"))
    undeclared = [name for name in chosen[2] if name not in settings.modules]
    if undeclared and not (chosen[0] or chosen[1]):
        brain = sources.brains.brain_window(call.tenant, range_ns, settings.max_spans)
        if set(chosen[2]) <= set(brain.names):
            if what[0] not in MODULE_KINDS:
                raise refuse(f"modules have {', '.join(MODULE_KINDS)}, not {what[0]}")
            names = tuple(sorted(set(chosen[2])))
            return Measurement(*what, (Group("+".join(names)[:256], ()),), brain=brain.of_modules(names))
    window = read_window(sources.agents, call.tenant, range_ns, settings.max_spans)
    try:
        group = chosen_group(window, settings.modules, chosen)
    except ValueError as error:
        raise refuse(str(error)) from None
    return Measurement(*what, (group,), window)


def _how(parts: IntelligenceApiParts, call: Call) -> Measuring:
    kinds = get_args(IntegrationType)
    chosen = call.text("integration_type") or "auto"
    if chosen not in kinds:
        raise refuse(f"'integration_type' is one of {', '.join(kinds)}, not {chosen!r}")
    standing = parts.worker.settings.how
    most = _UNITS[chosen]
    units = call.body.get("units")
    if units is not None and (not isinstance(units, int) or isinstance(units, bool) or not 2 <= units <= most):
        raise refuse(f"'units' is a whole number from 2 to {most}")
    bin_ns = 0
    if call.text("bin"):
        try:
            bin_ns = parse_duration_ns(call.text("bin"))
        except ValueError as error:
            raise refuse(f"'bin' {error}") from None
        if bin_ns <= 0:
            raise refuse("'bin' is a length of time above 0")
    is_standing = chosen in ("auto", "iit_3.0")
    return Measuring(
        integration_type=cast(IntegrationType, chosen),
        max_units=units or (standing.max_units if is_standing else 0),
        n_surrogates=standing.n_surrogates,
        n_resamples=standing.n_resamples,
        bin_ns=bin_ns,
    )


def _range(call: Call, now_ns: int) -> tuple[int, int]:
    """`start` and `end`, or `since` before the end; an hour where nothing is said."""
    try:
        end_ns = parse_time_ns(call.text("end")) if call.text("end") else now_ns
        since_ns = parse_duration_ns(call.text("since")) if call.text("since") else _HOUR_NS
        start_ns = parse_time_ns(call.text("start")) if call.text("start") else end_ns - since_ns
    except ValueError as error:
        raise refuse(str(error)) from None
    if start_ns >= end_ns:
        raise refuse("'start' must be before 'end'")
    return start_ns, end_ns


def _model(told: object) -> DeclaredModel:
    if not isinstance(told, Mapping):
        raise refuse("'model' is an object with 'tpm', 'cm' and 'state'")
    for name in ("tpm", "state"):
        if not isinstance(told.get(name), Sequence):
            raise refuse(f"'model.{name}' is a list")
    return DeclaredModel(told["tpm"], told.get("cm"), told["state"])


def _n_units(model: DeclaredModel | None) -> int:
    n_units = len(model.state) if model is not None else 0
    if n_units > _UNITS["ei_mip"]:
        raise refuse(f"'model.state' has {n_units} units; {_UNITS['ei_mip']} are the most")
    return n_units


def _job(jobs: Jobs, call: Call) -> Job:
    found = jobs.job(call.tenant, call.path["id"])
    if found is None:
        raise refuse(f"there is no job {call.path['id']!r}", 404)
    return found


def _result(each: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(each)
    told["at"] = time_json(told.pop("at_ns"))
    return told

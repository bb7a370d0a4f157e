"""Φ of brain states: of the model that one declares, or of what its modules were seen doing over many.

    from swarmscope import sdk
    from swarmscope.analysis.intelligence.brain_states import BrainStateComputation

    collector = sdk.IntelligenceMetricsCollector("states/", computation=BrainStateComputation())

What is returned is a part of a brain state, in its own words (`sdk.BRAIN_STATE_SCHEMA`): neither imports the other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate
from swarmscope.analysis.intelligence.iit3.network import Network, check_network
from swarmscope.analysis.intelligence.iit3.phi import compute_phi
from swarmscope.analysis.intelligence.information.effective_information import (
    MAX_UNITS,
    integrated_effective_information,
)
from swarmscope.analysis.intelligence.telemetry.activity import activity_of_states
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import MAX_EXACT_UNITS, PhiOptions, required_bins

DECLARED = "declared"
"""The estimator of what was computed of a declared model."""
_WHOLE = "all"
_MIN_KEPT = 600


class BrainStateComputation:
    """A callable for the SDK's `computation=`: brain state → its Φ, and nothing where none can be computed.

    A state with a `model` (`tpm`, `state`, and `cm` if it is known) has Φ by IIT 3.0 up to 6 units and what the minimum
    information partition loses of its effective information up to 12; both are exact. For any other state, `activity`
    of its modules is one row of a history; as soon as that is long enough, Φ is estimated from it. A state with other
    modules begins a new history. May be called by several threads.
    """

    def __init__(
        self, options: PhiOptions | None = None, *, n_kept: int = 0, max_share: float = 0.1, bin_ns: int = 1
    ) -> None:
        """`n_kept` states are looked back (0: four times what is needed); `bin_ns` is the time from one to the next.

        An estimate may take `max_share` of the time: after one that took 2 s the next is made after 20 s. In between
        nothing is returned.
        """
        self._options = options or PhiOptions()
        self._n_kept, self._max_share, self._bin_ns = n_kept, max_share, bin_ns
        self._names: tuple[str, ...] = ()
        self._rows: deque[tuple[float, ...]] = deque(maxlen=n_kept or _MIN_KEPT)
        self._lock = threading.Lock()
        self._next_s = -np.inf

    def __call__(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return `{"phi": [...]}`, or `{}`. Raises ModelError for a declared model that is none."""
        model = state.get("model")
        if model is not None:
            return {"phi": phi_of_declared(model)}
        with self._lock:
            estimate = self._estimate(state)
        return {} if estimate is None else {"phi": [to_phi_entry(estimate, _WHOLE)]}

    def _estimate(self, state: Mapping[str, Any]) -> Estimate | None:
        activities = {str(module["name"]): float(module["activity"]) for module in state.get("modules", ())}
        if len(activities) < 2:
            return None
        names = tuple(sorted(activities))
        kind = self._options.integration_type
        if kind == "auto":
            kind = "phi_g" if len(names) > self._options.max_units else "iit_3.0"
        needed = self._options.min_bins or required_bins(len(names), kind)
        if names != self._names:
            self._names = names
            self._rows = deque(maxlen=self._n_kept or 4 * max(needed, _MIN_KEPT))
        self._rows.append(tuple(activities[name] for name in names))
        began_s = time.perf_counter()
        if len(self._rows) < needed or began_s < self._next_s:
            return None
        estimate = measure_phi(activity_of_states(np.array(self._rows), names, self._bin_ns), self._options)
        ended_s = time.perf_counter()
        self._next_s = ended_s + (ended_s - began_s) * (1.0 / self._max_share - 1.0)
        return estimate if estimate.valid else None


def phi_of_declared(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of Φ of a declared model: `iit_3.0` up to 6 units, `ei_mip` up to 12.

    Raises ModelError for what is no model, for a state that no state leads to, and beyond 12 units.
    """
    for part in ("tpm", "state"):
        if model.get(part) is None:
            raise ModelError(f"model: {part} is missing")
    network = check_network(model["tpm"], model.get("cm"))
    if network.n_units > MAX_UNITS:
        raise ModelError(f"model: {network.n_units} units; Φ is computed for {MAX_UNITS} at most")
    region = str(model.get("brain_region") or _WHOLE)
    return [to_phi_entry(estimate, region) for estimate in estimates_of_declared(network, model["state"])]


def estimates_of_declared(network: Network, state: object) -> list[Estimate]:
    """Return what is exact of a network in a state, which has neither null nor interval. Raises ModelError."""
    mip = integrated_effective_information(network.tpm)
    told: dict[str, object] = {"ei": mip.ei, "ei_mip": mip.phi, "ei_mip_normalised": mip.normalised}
    told["ei_parts"] = [list(part) for part in mip.parts]
    found = [_exact(mip.phi, "ei_mip", network.n_units, told)]
    if network.n_units <= MAX_EXACT_UNITS:
        result = compute_phi(network, np.asarray(state))
        found.insert(0, _exact(result.phi, "iit_3.0", network.n_units, told | {"exact": result.to_json()}))
    return found


def to_phi_entry(estimate: Estimate, region: str) -> dict[str, Any]:
    """Return an estimate as an entry of a brain state's `phi`; what is not known is left out.

    `mip_value` is the effective information that both parts of the minimum information partition have by themselves:
    `effective_information` less it is Φ by `ei_mip`.
    """
    told = estimate.to_json()
    ei, lost = estimate.extra.get("ei"), estimate.extra.get("ei_mip")
    entry = {"value": estimate.value, "brain_region": region, "integration_type": estimate.integration_type}
    if isinstance(ei, float) and isinstance(lost, float):
        entry |= {"effective_information": ei, "mip_value": max(ei - lost, 0.0)}
    entry |= {name: told[name] for name in ("raw", "p_value", "ci_low", "ci_high") if told[name] is not None}
    return entry | {name: told[name] for name in ("significant", "estimator", "n_units", "n_samples")}


def _exact(phi: float, kind: str, n_units: int, told: Mapping[str, object]) -> Estimate:
    return Estimate(
        value=phi,
        raw=phi,
        significant=phi > 0.0,
        estimator=DECLARED,
        integration_type=kind,
        n_units=n_units,
        extra=told,
    )

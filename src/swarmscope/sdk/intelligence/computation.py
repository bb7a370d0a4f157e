"""What is computed of a brain state, by whoever can: a callable that is handed in."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from swarmscope.sdk.intelligence.brain_state import BrainState, BrainStateError, check_brain_state

Computation = Callable[[BrainState], Mapping[str, Any]]
"""Is given a brain state and returns what it found, in a brain state's own words: `{"phi": [{…}]}`, `{}` for nothing.

MUST NOT say `iit_3.0` of what an approximation gave, and MUST leave out what it did not compute.
`swarmscope.analysis.intelligence.brain_states.BrainStateComputation` and `ServerComputation` are such.
"""
_MAX_BYTES = 64 * 2**20
_WHOLE = "all"
_MAX_EXACT_UNITS = 6
MODEL_PARTS = ("tpm", "cm", "state", "units", "brain_region")


def compute(computation: Computation, state: BrainState) -> BrainState:
    """Return what a computation finds of a state, `{}` for nothing. Entries that are not valid are left out.

    Raises BrainStateError where it fails, or answers with something that is no part of a brain state.
    """
    try:
        found = computation(state)
    except BrainStateError:
        raise
    except Exception as error:  # a callable may raise anything
        raise BrainStateError(f"the computation failed: {type(error).__name__}: {error}") from error
    if isinstance(found, Mapping) and not found:
        return {}
    checked = dict(check_brain_state(found))
    if "phi" in checked:
        checked["phi"] = [each for each in checked["phi"] if each.get("valid", True)]
    return checked


class ServerComputation:
    """Lets a running Swarmscope compute Φ: of a state's declared `model`, or of what it saw the state's modules do.

    `endpoint` is the server's main address, such as `http://127.0.0.1:4600`.
    """

    def __init__(
        self,
        endpoint: str,
        token: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        since: str = "1h",
        timeout_s: float = 30.0,
    ) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint is {endpoint!r}; it should look like http://host:4600")
        self._url = f"{endpoint.rstrip('/')}/api/intelligence/compute"
        self._headers = {"content-type": "application/json", "accept": "application/json", **(headers or {})}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._since = since
        self._timeout_s = timeout_s

    def __call__(self, state: BrainState) -> Mapping[str, Any]:
        """Return `{"phi": […]}`, or `{}` where the state names neither a model nor modules. Raises BrainStateError."""
        model, names = state.get("model"), [module["name"] for module in state.get("modules", ())]
        if model is None and not names:
            return {}
        question: dict[str, Any] = {"kind": "phi"}
        if model is not None:
            question["model"] = {part: model[part] for part in MODEL_PARTS if part in model}
            # Φ by IIT 3.0 of more units takes longer than a state should wait.
            question["integration_type"] = "iit_3.0" if len(model["state"]) <= _MAX_EXACT_UNITS else "ei_mip"
        else:
            question |= {"modules": names, "since": self._since}
        results = self._ask(question).get("results", ())
        region = str((model or {}).get("brain_region") or _WHOLE)
        entries = [to_phi_entry(each, region if model else str(each.get("group") or _WHOLE)) for each in results]
        return {"phi": [entry for entry in entries if entry is not None]}

    def _ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps(question).encode()
        request = urllib.request.Request(self._url, body, self._headers, method="POST")  # noqa: S310 (checked)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                answer = json.loads(response.read(_MAX_BYTES))
        except urllib.error.HTTPError as error:
            raise BrainStateError(f"{self._url} answered {error.code}: {_words_of(error)}") from error
        except (OSError, ValueError) as error:
            raise BrainStateError(f"{self._url} cannot be asked: {error}") from error
        if not isinstance(answer, Mapping):
            raise BrainStateError(f"{self._url} answered with something that is no result")
        return answer


def to_phi_entry(result: Mapping[str, Any], region: str) -> dict[str, Any] | None:
    """Return one estimate of Φ (`Estimate.to_json()`) as an entry of a state's `phi`; None where it has no value.

    Numbers that are not known are left out.
    """
    told = result.get("extra") or {}
    value = result.get("value")
    if not result.get("valid", True) or value is None or not result.get("integration_type"):
        return None
    ei, lost = told.get("ei"), told.get("ei_mip")
    if lost is None and result["integration_type"] == "ei_mip":
        lost = result.get("raw")
    entry = {
        "value": value,
        "brain_region": region,
        "integration_type": result["integration_type"],
        "effective_information": ei,
        "mip_value": max(ei - lost, 0.0) if ei is not None and lost is not None else None,
        **{name: result.get(name) for name in ("raw", "significant", "p_value", "ci_low", "ci_high", "n_units",
                                               "n_samples", "estimator")},
    }  # fmt: skip
    return {name: each for name, each in entry.items() if each is not None}


def _words_of(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read(_MAX_BYTES))["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return str(error.reason)
    return str(told)

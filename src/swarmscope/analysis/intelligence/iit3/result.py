"""What a computation of Φ finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Cut(NamedTuple):
    """Connections from some units to all the others, severed."""

    source: tuple[int, ...]
    target: tuple[int, ...]

    def to_json(self) -> dict[str, list[int]]:
        """Return the cut as `{"from": [...], "to": [...]}`."""
        return {"from": list(self.source), "to": list(self.target)}


@dataclass(frozen=True, eq=False)
class Concept:
    """What a mechanism specifies: its maximally irreducible cause and effect. Units are numbers in the network."""

    mechanism: tuple[int, ...]
    phi: float
    """The lesser of the two that follow, in moved probability by Hamming distance."""
    phi_cause: float
    phi_effect: float
    cause_purview: tuple[int, ...]
    effect_purview: tuple[int, ...]
    cause_repertoire: NDArray[np.float64]
    """[2^k] over past states of the k units of the cause purview, the first unit varying fastest."""
    effect_repertoire: NDArray[np.float64]
    """[2^k] over next states of the effect purview."""

    def to_json(self) -> dict[str, object]:
        """Return all fields as JSON holds them."""
        return {
            "mechanism": list(self.mechanism),
            "phi": self.phi,
            "phi_cause": self.phi_cause,
            "phi_effect": self.phi_effect,
            "cause_purview": list(self.cause_purview),
            "effect_purview": list(self.effect_purview),
            "cause_repertoire": self.cause_repertoire.tolist(),
            "effect_repertoire": self.effect_repertoire.tolist(),
        }


@dataclass(frozen=True, eq=False)
class PhiResult:
    """Φ of units in a state.

    Units that are not strongly connected, a single one, and units without any concept have Φ = 0 and no cut; for the
    first two, concepts are not computed.
    """

    phi: float
    mip: Cut | None
    """The cut that changes least what the units specify (minimum information partition): the first of `tied_cuts`."""
    tied_cuts: tuple[Cut, ...]
    """All cuts within 1e-6 of Φ, fewest sources first, then in the order of their numbers."""
    concepts: tuple[Concept, ...]
    """Of the units uncut, small mechanisms first, then in the order of their numbers."""
    partitioned_concepts: tuple[Concept, ...]
    """Of the units cut at `mip`."""
    sum_small_phi: float
    ei: float
    """Effective information of the units in bits (uniform interventions on the TPM as it was given)."""
    units: tuple[int, ...]
    state: tuple[int, ...]
    """Of `units`."""
    integration_type: str = "iit_3.0"

    def to_json(self) -> dict[str, object]:
        """Return the result as JSON holds it; cuts as `{"from": [...], "to": [...]}`."""
        return {
            "phi": self.phi,
            "integration_type": self.integration_type,
            "units": list(self.units),
            "state": list(self.state),
            "ei": self.ei,
            "mip": None if self.mip is None else self.mip.to_json(),
            "tied_cuts": [cut.to_json() for cut in self.tied_cuts],
            "sum_small_phi": self.sum_small_phi,
            "concepts": [concept.to_json() for concept in self.concepts],
            "partitioned_concepts": [concept.to_json() for concept in self.partitioned_concepts],
        }

"""Φ of networks whose values others have computed by exact optimal transport, concept by concept."""

from __future__ import annotations

import numpy as np
import pytest
from tests.analysis.intelligence.iit3.networks import elementary_rule, majority_ring
from tests.analysis.intelligence.known_networks import VECTORS

from swarmscope.analysis.intelligence.iit3.network import check_network
from swarmscope.analysis.intelligence.iit3.phi import compute_phi
from swarmscope.analysis.intelligence.iit3.result import Concept, PhiResult

TOLERANCE = 5e-6
_NAMES = [vector["name"] for vector in VECTORS]
_RESULTS: dict[str, PhiResult] = {}


@pytest.fixture(params=VECTORS, ids=_NAMES)
def vector(request: pytest.FixtureRequest) -> dict:
    return request.param


def result_of(vector: dict) -> PhiResult:
    name = vector["name"]
    if name not in _RESULTS:
        network = check_network(vector["tpm"], vector["cm"])
        _RESULTS[name] = compute_phi(network, vector["state"], subsystem=vector["subsystem_nodes"])
    return _RESULTS[name]


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


def test_phi_and_cuts(vector: dict) -> None:
    result, known = result_of(vector), vector["iit3"]
    assert result.phi == near(known["big_phi"])
    assert result.sum_small_phi == near(known["sum_small_phi"])
    assert sorted(result.tied_cuts) == sorted(
        (tuple(source), tuple(target)) for source, target in known["tie_cuts"] or []
    )
    assert result.mip == (result.tied_cuts[0] if result.tied_cuts else None)
    assert (result.mip is None) == (known["mip"] is None)


def test_concepts(vector: dict) -> None:
    found = {concept.mechanism: concept for concept in result_of(vector).concepts}
    known = {tuple(concept["mechanism"]): concept for concept in vector["iit3"]["concepts"]}
    assert found.keys() == known.keys()
    for mechanism, concept in known.items():
        check_concept(found[mechanism], concept)


def check_concept(found: Concept, known: dict) -> None:
    assert (found.phi, found.phi_cause, found.phi_effect) == (
        near(known["phi"]), near(known["phi_cause"]), near(known["phi_effect"]),
    )  # fmt: skip
    assert found.cause_purview == tuple(known["cause_purview"])
    assert found.effect_purview == tuple(known["effect_purview"])
    np.testing.assert_allclose(found.cause_repertoire, known["cause_repertoire_le"], atol=TOLERANCE)
    np.testing.assert_allclose(found.effect_repertoire, known["effect_repertoire_le"], atol=TOLERANCE)


def test_concepts_of_the_cut_units(vector: dict) -> None:
    result, known = result_of(vector), vector["iit3"]
    if result.mip is None or result.mip.to_json() != known["mip"]:
        assert not result.partitioned_concepts or len(result.tied_cuts) > 1  # another of the tied ones is told there
        return
    found = {concept.mechanism: concept.phi for concept in result.partitioned_concepts}
    assert found == {tuple(concept["mechanism"]): near(concept["phi"]) for concept in known["partitioned_concepts"]}


def test_effective_information(vector: dict) -> None:
    assert result_of(vector).ei == pytest.approx(vector["ei"]["effective_information_bits"], abs=1e-6)


def test_five_units_of_rule_152() -> None:
    """A reference of IIT 3.0 with exact optimal transport gives 6.933066, and all five cuts of one unit tied."""
    result = compute_phi(elementary_rule(152, 5), [0] * 5)
    assert result.phi == near(6.933066)
    assert len(result.tied_cuts) == 5
    assert result.mip == ((0, 1, 2, 3), (4,))


def test_five_units_by_majority() -> None:
    """The same reference gives 10.729623."""
    result = compute_phi(majority_ring(), [1] * 5)
    assert result.phi == near(10.729623)
    assert result.mip == ((2, 4), (0, 1, 3))


@pytest.mark.parametrize(("state", "phi"), [((0, 0, 0), 1.357083), ((0, 1, 1), 1.100015), ((1, 1, 1), 1.015239)])
def test_rule_110(state: tuple[int, ...], phi: float) -> None:
    assert compute_phi(elementary_rule(110, 3), state).phi == near(phi)

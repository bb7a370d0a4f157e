"""Which node is likely the cause of a group of alerts, with the evidence.

Three things speak for a node, and its score is their product:

- a random walk with restart along dependencies, from those that suffer to what they depend on, steered by how much is
  wrong with each node: MonitorRank (Kim, Sumbaly & Shah, "Root Cause Detection in a Service-Oriented Architecture",
  SIGMETRICS 2013), with backward and self edges as there and as in CloudRanger (Wang et al., CCGRID 2018);
- precedence: causes come before effects, so what began first weighs more;
- explanation: how much of what is wrong lies at nodes that depend on this one, directly or through others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.rootcause.facts import AlertFact
from swarmscope.analysis.rootcause.topology import NOTHING, Node, Topology

_S = 1_000_000_000
_NEVER = np.iinfo(np.int64).min
_MAX_NODES = 400  # with alerts; who explains whom is a square of them


@dataclass(frozen=True, slots=True)
class RankSettings:
    """How causes are weighed."""

    restart: float = 0.3  # of the walk, at what is wrong; MonitorRank's alpha
    backward: float = 0.2  # how readily the walk goes back to who depends; MonitorRank's rho
    quiet: float = 0.05  # what draws the walk to a node without alerts
    rounds: int = 60  # 0.7 ** 60 is 5e-10
    early_scale_ns: int = 60 * _S  # a node that began so much later than the first weighs 1/e of what precedence gives
    early_share: float = 0.4  # of the score that precedence decides
    explain_share: float = 0.4  # the same of explanation
    explain_hops: int = 3
    min_common: float = 0.5  # of who uses a node without alerts must suffer for it to be a candidate
    max_causes: int = 5


class Evidence(NamedTuple):
    """One thing that speaks for a cause; `alerts` are ids."""

    kind: str  # first_alert, alerts, explains, common_dependency, walk
    text: str
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RootCause:
    """A node that may be the cause."""

    node: Node
    score: float  # 0 … 1, all candidates' together are 1
    confidence: float  # 0 … 1: the score, less where most of what is wrong is not explained
    evidence: tuple[Evidence, ...]


class _Scene(NamedTuple):
    """What is wrong where, over the nodes of a part of the topology."""

    nodes: list[Node]
    wrong: NDArray[np.float64]  # [n] 0 … 1
    first_ns: NDArray[np.int64]  # [n] of the alerts of each; _NEVER where there are none
    source: NDArray[np.int64]  # [m]
    target: NDArray[np.int64]  # [m]
    needs: NDArray[np.float64]  # [m]
    alerts: list[list[AlertFact]]  # [n]


def rank_causes(
    facts: Sequence[AlertFact], topology: Topology = NOTHING, settings: RankSettings | None = None
) -> list[RootCause]:
    """The likely causes of a group of alerts, the likeliest first; none where no alert names a node."""
    chosen = settings or RankSettings()
    scene = _scene(facts, topology)
    if not len(scene.nodes):
        return []
    reach = _explained(scene, chosen.explain_hops)
    total = scene.wrong.sum()
    explains = np.minimum(reach @ scene.wrong / total, 1.0)
    walked = _walk(scene, chosen)
    begin_ns = min(fact.start_ns for fact in facts)
    early = np.exp(-(_first_ns(scene, reach) - begin_ns) / chosen.early_scale_ns)
    score = (
        walked
        * (1 - chosen.early_share * (1 - early))
        * (1 - chosen.explain_share * (1 - explains))
        * _candidates(scene, chosen)
    )
    score = score / score.sum()
    order = sorted(range(len(score)), key=lambda at: (-score[at], scene.nodes[at]))
    found = []
    for at in order[: chosen.max_causes]:
        if score[at] <= 0:
            break
        confidence = float(score[at] * (0.5 + 0.5 * explains[at]))
        evidence = _evidence(at, scene, reach[at], float(explains[at]), begin_ns)
        found.append(RootCause(scene.nodes[at], float(score[at]), confidence, evidence))
    return found


def _scene(facts: Sequence[AlertFact], topology: Topology) -> _Scene:
    """Nodes with alerts (the first that had any), and what they depend on."""
    by_node: dict[Node, list[AlertFact]] = {}
    sound: dict[Node, float] = {}
    for fact in sorted(facts, key=lambda each: (each.start_ns, each.id)):
        nodes = fact.nodes
        for node in nodes:
            by_node.setdefault(node, []).append(fact)
            # Independent witnesses; of an alert about several kinds, the most specific is what it is about.
            share = fact.weight if node.kind is nodes[0].kind else 0.5 * fact.weight
            sound[node] = sound.get(node, 1.0) * (1.0 - share)
    by_node = dict(list(by_node.items())[:_MAX_NODES])
    alerted = [topology.numbers[node] for node in by_node if node in topology.numbers]
    kept = np.zeros(len(topology), np.bool_)
    kept[alerted] = True
    used = kept.copy()
    used[topology.target[kept[topology.source]]] = True
    names = dict.fromkeys([*by_node, *(topology.nodes[at] for at in np.flatnonzero(used).tolist())])
    placed = list(names)
    position_of = {node: at for at, node in enumerate(placed)}
    number = np.array([position_of.get(node, -1) for node in topology.nodes], np.int64).reshape(-1)
    inside = np.flatnonzero(used[topology.source] & used[topology.target])
    return _Scene(
        placed,
        np.array([1.0 - sound.get(node, 1.0) for node in placed]),
        np.array([by_node[node][0].start_ns if node in by_node else _NEVER for node in placed], np.int64),
        number[topology.source[inside]],
        number[topology.target[inside]],
        topology.needs()[inside],
        [by_node.get(node, []) for node in placed],
    )


def _explained(scene: _Scene, hops: int) -> NDArray[np.float64]:
    """How much of what is wrong at j may come from i [n, n]: through whom j depends on i, the best path's needs.

    Only through nodes that suffer themselves: trouble leaves a trace where it passes. The root of a need stands for
    it, as a part of what an agent does is enough to make it fail.
    """
    n = len(scene.nodes)
    reach = np.eye(n)
    strength = np.sqrt(scene.needs)
    for _ in range(hops):
        longer = reach.copy()
        # i reaches the target; the source depends on it.
        passed = (
            reach[:, scene.target]
            * strength
            * ((scene.wrong[scene.target] > 0) | (np.arange(n)[:, np.newaxis] == scene.target))
        )
        np.maximum.at(longer.T, scene.source, passed.T)  # a view: `longer` changes
        reach = longer
    return reach


def _first_ns(scene: _Scene, reach: NDArray[np.float64]) -> NDArray[np.int64]:
    """When each node's trouble began [n]: with its own alerts, or where it has none, with those that it explains."""
    first_ns = scene.first_ns.copy()
    for at in np.flatnonzero(first_ns == _NEVER).tolist():
        suffering = np.flatnonzero((reach[at] > 0) & (scene.first_ns != _NEVER))
        first_ns[at] = scene.first_ns[suffering].min() if len(suffering) else scene.first_ns.max()
    return first_ns


def _candidates(scene: _Scene, settings: RankSettings) -> NDArray[np.float64]:
    """1 [n] for nodes with alerts, and for what several that suffer use in common and hardly anybody who is well."""
    direct = np.zeros((2, len(scene.nodes)))
    np.add.at(direct[0], scene.target, (scene.wrong[scene.source] > 0).astype(np.float64))
    np.add.at(direct[1], scene.target, 1.0)
    common = (direct[0] >= 2) & (direct[0] >= settings.min_common * direct[1])
    return np.where(scene.wrong > 0, 1.0, np.where(common, 1.0, 0.0))


def _walk(scene: _Scene, settings: RankSettings) -> NDArray[np.float64]:
    """Where the walk is in the long run [n]."""
    n = len(scene.nodes)
    pull = np.maximum(scene.wrong, settings.quiet)
    source = np.concatenate([scene.source, scene.target])
    target = np.concatenate([scene.target, scene.source])
    forward = scene.needs * pull[scene.target]
    backward = settings.backward * scene.needs * pull[scene.source]
    weight = np.concatenate([forward, backward])
    # It stays where nothing that is depended on is worse.
    worst = np.zeros(n)
    np.maximum.at(worst, scene.source, scene.wrong[scene.target])
    source = np.concatenate([source, np.arange(n)])
    target = np.concatenate([target, np.arange(n)])
    weight = np.concatenate([weight, np.maximum(scene.wrong - worst, 1e-6)])
    weight = weight / np.bincount(source, weight, n)[source]
    begin = scene.wrong / scene.wrong.sum()
    place = begin
    for _ in range(settings.rounds):
        place = settings.restart * begin + (1 - settings.restart) * np.bincount(target, place[source] * weight, n)
    return np.asarray(place)


def _evidence(
    at: int, scene: _Scene, reach: NDArray[np.float64], explains: float, begin_ns: int
) -> tuple[Evidence, ...]:
    node, own = scene.nodes[at], scene.alerts[at]
    found = []
    if own:
        late_s = (own[0].start_ns - begin_ns) / _S
        name = own[0].labels.get("alertname", "an alert")
        text = (
            f"{name} of {node} came first" if late_s == 0 else f"{name} of {node} came {late_s:.0f} s after the first"
        )
        found.append(Evidence("first_alert" if late_s == 0 else "alerts", text, tuple(fact.id for fact in own)))
    others = [other for other in np.flatnonzero((reach > 0) & (scene.wrong > 0)).tolist() if other != at]
    ids = tuple(dict.fromkeys(fact.id for other in others for fact in scene.alerts[other]))
    if others:
        named = ", ".join(scene.nodes[other].name for other in others[:5]) + (", …" if len(others) > 5 else "")
        kind = "explains" if own else "common_dependency"
        found.append(Evidence(kind, f"{len(others)} others with alerts depend on it ({named})", ids))
    if not math.isclose(explains, 0.0):
        found.append(Evidence("walk", f"{explains:.0%} of what is wrong lies at it or at who depends on it"))
    return tuple(found)

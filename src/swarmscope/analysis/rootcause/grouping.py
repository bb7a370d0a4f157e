"""Alerts into groups, one at a time as they come: single link on the similarity of pairs, with a threshold.

Two causes are two troubles, however close they are: an alert whose rule says that it is a cause (`signal`) joins a
group that has one already only by an alert that is a cause of the same kind; nothing else joins such groups.

Single link (Sibson, "SLINK", The Computer Journal 16, 1973) needs no number of groups and grows by one alert
without a look at all others; what it is blamed for, chains, is held down by a higher threshold for joining groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from swarmscope.analysis.rootcause.closeness import Closeness
from swarmscope.analysis.rootcause.facts import AlertFact
from swarmscope.analysis.rootcause.similarity import (
    NONE,
    LinkSettings,
    Similarity,
    graph_closeness,
    label_pairs,
    similarity,
)
from swarmscope.analysis.rootcause.topology import NOTHING, Node, Topology

_Key = TypeVar("_Key")


class Placement(NamedTuple):
    """Where an alert went."""

    group: str
    similarity: Similarity  # to the alert that it is linked by; NONE where it begins a group
    linked_to: str  # that alert's id, "" where there is none
    merged: tuple[str, ...]  # groups that are part of `group` from now on, by this alert


@dataclass(slots=True)
class _Entry:
    fact: AlertFact
    pairs: frozenset[tuple[str, str]]
    nodes: tuple[Node, ...]
    group: str


@dataclass(slots=True)
class _Candidates:
    """What is known of alerts that share something with a new one."""

    shared: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    graph: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class OnlineGrouping:
    """Groups of alerts that are known, by alert id. Not thread-safe; one alert costs the same however many there are.

    Alerts are forgotten by `forget`; until then they link, also when they are over.
    """

    def __init__(self, settings: LinkSettings | None = None, topology: Topology = NOTHING) -> None:
        self._settings = settings or LinkSettings()
        self._entries: dict[str, _Entry] = {}
        self._groups: dict[str, dict[str, None]] = {}
        # Ids in order of their coming, which a set would not keep.
        self._by_pair: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._by_node: dict[Node, dict[str, None]] = defaultdict(dict)
        self.see_topology(topology)

    def __len__(self) -> int:
        return len(self._entries)

    def see_topology(self, topology: Topology) -> None:
        """From now on who is close to whom is told by this graph."""
        self._closeness = Closeness(topology, self._settings.max_hops, self._settings.hop_decay)

    def ids(self) -> tuple[str, ...]:
        """All alerts that are known, in order of their coming."""
        return tuple(self._entries)

    def members(self, group: str) -> tuple[AlertFact, ...]:
        """The alerts of a group in order of their coming; none where there is no such group."""
        return tuple(self._entries[id_].fact for id_ in self._groups.get(group, ()))

    def group_of(self, id_: str) -> str | None:
        """The group of an alert; None where it is not known."""
        entry = self._entries.get(id_)
        return None if entry is None else entry.group

    def restore(self, fact: AlertFact, group: str) -> None:
        """Put an alert into a group that was found before."""
        self.forget(fact.id)
        self._keep(fact, group)

    def add(self, fact: AlertFact, new_group: str = "") -> Placement:
        """Take an alert in, or see a known one again, which stays where it is.

        The group that it begins, where it begins one, is called `new_group`, or else as the alert.
        """
        known = self._entries.get(fact.id)
        if known is not None:
            known.fact = fact
            return Placement(known.group, NONE, "", ())
        links = self._links(fact)
        if not links:
            self._keep(fact, new_group or fact.id)
            return Placement(new_group or fact.id, NONE, "", ())
        best_id, best = max(links.items(), key=lambda link: (self._pull(*link), link[0]))
        group = self._entries[best_id].group
        merged = self._mergeable(fact, links, group) if best.total >= self._settings.merge_threshold else set()
        if merged:
            # The oldest stays, for it is known to people.
            oldest = min(merged | {group}, key=lambda each: (self._begin_ns(each), each))
            merged = (merged | {group}) - {oldest}
            for each in merged:
                self.merge(each, oldest)
            group = oldest
        self._keep(fact, group)
        return Placement(group, best, best_id, tuple(sorted(merged)))

    def merge(self, group: str, into: str) -> None:
        """All alerts of one group belong to another from now on."""
        for id_ in self._groups.pop(group, {}):
            self._entries[id_].group = into
            self._groups.setdefault(into, {})[id_] = None

    def move(self, ids: Iterable[str], group: str) -> None:
        """Put known alerts into another group, which may be new."""
        for id_ in ids:
            entry = self._entries[id_]
            self._leave(entry, id_)
            entry.group = group
            self._groups.setdefault(group, {})[id_] = None

    def forget(self, id_: str) -> None:
        """An alert links nothing any more."""
        entry = self._entries.pop(id_, None)
        if entry is None:
            return
        self._leave(entry, id_)
        for pair in entry.pairs:
            _drop(self._by_pair, pair, id_)
        for node in entry.nodes:
            _drop(self._by_node, node, id_)

    def components(self, group: str, *, lasting_only: bool = False) -> list[tuple[str, ...]]:
        """The parts of a group that nothing links any more, each by coming, the one with the oldest alert first."""
        ids = [id_ for id_ in self._groups.get(group, ()) if not (lasting_only and self._entries[id_].fact.end_ns)]
        part = {id_: id_ for id_ in ids}
        for at, id_ in enumerate(ids):
            for other in ids[:at]:
                if part[id_] != part[other] and self._pair(id_, other).total >= self._settings.threshold:
                    kept, gone = part[other], part[id_]
                    part = {each: kept if root == gone else root for each, root in part.items()}
        found: dict[str, list[str]] = {}
        for id_ in ids:
            found.setdefault(part[id_], []).append(id_)
        return [tuple(each) for each in found.values()]

    def _pair(self, one: str, other: str) -> Similarity:
        left, right = self._entries[one], self._entries[other]
        graph = graph_closeness(self._around(left.nodes), right.nodes)
        shared, either = len(left.pairs & right.pairs), len(left.pairs | right.pairs)
        return similarity(left.fact.start_ns - right.fact.start_ns, shared, either, graph, self._settings)

    def _around(self, nodes: tuple[Node, ...]) -> dict[Node, float]:
        around: dict[Node, float] = {}
        for node in nodes:
            for other, close in self._closeness.around(node).items():
                around[other] = max(around.get(other, 0.0), close)
        return around

    def _links(self, fact: AlertFact) -> dict[str, Similarity]:
        """Known alerts that it is similar enough to."""
        pairs, found, newest = label_pairs(fact), _Candidates(), self._settings.max_candidates
        for pair in pairs:
            for id_ in list(self._by_pair.get(pair, ()))[-newest:]:
                found.shared[id_] += 1
        for node, close in self._around(fact.nodes).items():
            for id_ in list(self._by_node.get(node, ()))[-newest:]:
                found.graph[id_] = max(found.graph[id_], close)
        links = {}
        for id_ in found.shared.keys() | found.graph.keys():
            entry = self._entries[id_]
            shared = len(pairs & entry.pairs)
            either = len(pairs) + len(entry.pairs) - shared
            gap_ns = fact.start_ns - entry.fact.start_ns
            linked = similarity(gap_ns, shared, either, found.graph.get(id_, 0.0), self._settings)
            if linked.total < self._settings.threshold or not self._may_join(fact, entry, linked):
                continue
            links[id_] = linked
        return links

    def _may_join(self, fact: AlertFact, entry: _Entry, linked: Similarity) -> bool:
        if not fact.is_cause:
            return True
        if entry.fact.is_cause:
            return linked.labels >= self._settings.min_cause_labels
        return not self._has_cause(entry.group)

    def _pull(self, id_: str, linked: Similarity) -> float:
        """How much an alert is drawn to one of those that it is linked to."""
        return linked.total + (self._settings.cause_pull if self._entries[id_].fact.is_cause else 0.0)

    def _mergeable(self, fact: AlertFact, links: Mapping[str, Similarity], group: str) -> set[str]:
        """Groups that an alert which goes to `group` joins to it."""
        found = set()
        has_cause = fact.is_cause or self._has_cause(group)
        for id_, linked in links.items():
            other = self._entries[id_]
            if linked.total < self._settings.merge_threshold or other.group == group or other.group in found:
                continue
            by_cause = fact.is_cause and other.fact.is_cause
            if by_cause or not (has_cause and self._has_cause(other.group)):
                found.add(other.group)
                has_cause = has_cause or self._has_cause(other.group)
        return found

    def _has_cause(self, group: str) -> bool:
        return any(self._entries[id_].fact.is_cause for id_ in self._groups[group])

    def _begin_ns(self, group: str) -> int:
        return min(self._entries[id_].fact.start_ns for id_ in self._groups[group])

    def _keep(self, fact: AlertFact, group: str) -> None:
        entry = _Entry(fact, label_pairs(fact), fact.nodes, group)
        self._entries[fact.id] = entry
        self._groups.setdefault(group, {})[fact.id] = None
        for pair in entry.pairs:
            self._by_pair[pair][fact.id] = None
        for node in entry.nodes:
            self._by_node[node][fact.id] = None

    def _leave(self, entry: _Entry, id_: str) -> None:
        members = self._groups[entry.group]
        del members[id_]
        if not members:
            del self._groups[entry.group]


def group_alerts(
    facts: Iterable[AlertFact], topology: Topology = NOTHING, settings: LinkSettings | None = None
) -> list[tuple[AlertFact, ...]]:
    """All of these alerts as groups, in order of their beginning; as if they had come in order of their starts."""
    grouping = OnlineGrouping(settings, topology)
    for fact in sorted(facts, key=lambda each: (each.start_ns, each.id)):
        grouping.add(fact)
    groups: Mapping[str, None] = dict.fromkeys(grouping.group_of(id_) or "" for id_ in grouping.ids())
    return sorted((grouping.members(group) for group in groups), key=lambda group: (group[0].start_ns, group[0].id))


def _drop(index: dict[_Key, dict[str, None]], key: _Key, id_: str) -> None:
    index[key].pop(id_, None)
    if not index[key]:
        del index[key]

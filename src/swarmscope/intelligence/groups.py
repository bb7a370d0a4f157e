"""Whose integration, emergence, coherence and coordination are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from swarmscope.intelligence.agent_window import AgentWindow

WHOLE_FLEET = "all"
BRAIN_MODULES = "modules"  # those of brain states, which are no agents


class Group(NamedTuple):
    """Agents that are looked at together."""

    name: str
    agents: tuple[str, ...]
    modules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Declared units, by name the agents of each; without them the most active agents are units."""


def standing_groups(window: AgentWindow, modules: Mapping[str, Sequence[str]], max_groups: int) -> list[Group]:
    """The whole fleet, as declared modules where there are any, and teams of two agents or more by size and name."""
    groups = [whole_fleet(window, modules)]
    members: dict[str, list[str]] = {}
    for agent, team in sorted(window.teams.items()):
        if team and team not in (WHOLE_FLEET, BRAIN_MODULES):
            members.setdefault(team, []).append(agent)
    teams = [Group(team, tuple(agents)) for team, agents in members.items() if len(agents) > 1]
    teams.sort(key=lambda group: (-len(group.agents), group.name))
    return [*groups, *teams][:max_groups]


def whole_fleet(window: AgentWindow, modules: Mapping[str, Sequence[str]]) -> Group:
    """Everyone; declared modules are its units."""
    return Group(
        WHOLE_FLEET, tuple(sorted(window.teams)), tuple((name, tuple(agents)) for name, agents in modules.items())
    )


def chosen_group(
    window: AgentWindow,
    declared: Mapping[str, Sequence[str]],
    chosen: tuple[Sequence[str], Sequence[str], Sequence[str]],
) -> Group:
    """The group of what a caller names: agents, teams, and modules of those `declared`. Raises ValueError."""
    agents, teams, modules = (list(dict.fromkeys(each)) for each in chosen)
    if not (agents or teams or modules):
        return whole_fleet(window, declared)
    unknown = [name for name in modules if name not in declared]
    if unknown:
        known = ", ".join(declared) or "none is declared (intelligence.modules)"
        raise ValueError(f"there is no module {unknown[0]!r}; there are: {known}")
    if modules and (agents or teams):
        raise ValueError("name modules, or agents and teams")
    if modules:
        units = tuple((name, tuple(declared[name])) for name in modules)
        return Group("+".join(modules), tuple(agent for _, members in units for agent in members), units)
    for kind, named, seen in (("agent", agents, window.teams.keys()), ("team", teams, window.teams.values())):
        unseen = [name for name in named if name not in seen]
        if unseen:
            raise ValueError(f"no {kind} {unseen[0]!r} was seen in this range")
    of_teams = [agent for agent, team in sorted(window.teams.items()) if team in set(teams)]
    name = teams[0] if len(teams) == 1 and not agents else "+".join([*teams, *agents])
    return Group(name[:256], tuple(dict.fromkeys([*agents, *of_teams])))

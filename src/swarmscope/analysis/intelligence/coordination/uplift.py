"""Whether a team does better than its best agent alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans
from swarmscope.analysis.intelligence.errors import ModelError

TEAM = -1  # who did a task that two agents or more worked on
_N_RESAMPLES = 1000

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Outcomes(NamedTuple):
    """How tasks went; arrays [n_tasks]."""

    score: Floats
    """Higher is better; 1 and 0 for success and failure."""
    agent: Integers
    """Who did it alone, or TEAM."""


class Uplift(NamedTuple):
    """What a team adds."""

    uplift: float
    """Mean score of the team less that of the best single agent. Seldom too great: the best of many seems better than
    it is."""
    relative: float
    """The same as a share of the best agent's score; nan where that is not above 0."""
    ci_low: float
    ci_high: float
    p_value: float
    """Of no uplift, one-sided."""
    best_agent: int
    team_score: float
    best_score: float
    n_team: int
    n_best: int


def outcomes_of_traces(spans: FleetSpans) -> Outcomes:
    """Return how traces [n] of agents went: 1 where the first root ended well, by the one agent in it or the team.

    Traces whose first root is open, and those without an agent, are left out.
    """
    roots = ended_roots(spans)
    n_traces = int(spans.trace.max(initial=-1)) + 1
    least, most = np.full(n_traces, np.iinfo(np.int64).max), np.full(n_traces, -1)
    named = spans.agent >= 0
    np.minimum.at(least, spans.trace[named], spans.agent[named])
    np.maximum.at(most, spans.trace[named], spans.agent[named])
    trace = spans.trace[roots]
    roots, trace = roots[most[trace] >= 0], trace[most[trace] >= 0]
    agent = np.where(least[trace] == most[trace], most[trace], TEAM)
    return Outcomes(spans.is_ok[roots].astype(np.float64), agent)


def ended_roots(spans: FleetSpans) -> Integers:
    """Return the row of each trace's first root, in order of traces, but of traces where that is open."""
    roots = np.flatnonzero(spans.parent < 0)
    roots = roots[np.lexsort((spans.start_ns[roots], spans.trace[roots]))]
    _, first = np.unique(spans.trace[roots], return_index=True)
    roots = roots[first]
    return np.asarray(roots[spans.is_ended[roots]])


def collective_uplift(outcomes: Outcomes, *, least_tasks: int = 30, seed: int = 0) -> Uplift:
    """Return the team's mean score less the best single agent's, with a bootstrap interval.

    Only agents with `least_tasks` tasks of their own are compared, and each resample looks for its own best. The two
    did different tasks: where the hard ones go to the team, uplift is understated. Raises ModelError for scores that
    are not finite, and where the team or every agent has fewer tasks.
    """
    wrong = np.flatnonzero(~np.isfinite(outcomes.score))
    if len(wrong):
        raise ModelError(f"the score of task {wrong[0]} is {outcomes.score[wrong[0]]}")
    team = outcomes.score[outcomes.agent == TEAM]
    agents, counts = np.unique(outcomes.agent[outcomes.agent >= 0], return_counts=True)
    agents = agents[counts >= least_tasks]
    if len(team) < least_tasks or not len(agents):
        raise ModelError(
            f"{len(team)} tasks of the team and {len(agents)} agents with {least_tasks} tasks of their own"
        )
    rng = np.random.default_rng(seed)
    alone = [outcomes.score[outcomes.agent == agent] for agent in agents]
    means = np.array([scores.mean() for scores in alone])
    best = int(means.argmax())
    drawn = np.stack([_resampled_means(scores, rng) for scores in alone]).max(axis=0)
    differences = _resampled_means(team, rng) - drawn
    low, high = np.quantile(differences, (0.025, 0.975))
    uplift = float(team.mean() - means[best])
    return Uplift(
        uplift=uplift,
        relative=uplift / float(means[best]) if means[best] > 0 else float("nan"),
        ci_low=float(low),
        ci_high=float(high),
        p_value=float((1 + (differences <= 0).sum()) / (1 + _N_RESAMPLES)),
        best_agent=int(agents[best]),
        team_score=float(team.mean()),
        best_score=float(means[best]),
        n_team=len(team),
        n_best=len(alone[best]),
    )


def _resampled_means(scores: Floats, rng: np.random.Generator) -> Floats:
    # Equal scores are drawn together: most are 0 or 1.
    values, counts = np.unique(scores, return_counts=True)
    n = len(scores)
    return np.asarray(rng.multinomial(n, counts / n, _N_RESAMPLES) @ values / n)

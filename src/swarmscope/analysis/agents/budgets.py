"""How far budgets are used up, how fast, and when there will be nothing left.

Spends of minutes are taken as independent and alike: a compound process whose mean and variance those of the last
hour tell. The time until it has used up what is left has the mean R/m and the variance R·v/m³ of a first passage
(inverse Gaussian; Chhikara & Folks 1989), widened by how little n minutes tell of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import finding_id
from swarmscope.model.agents import NO_TEXT, Vocabulary
from swarmscope.model.fleet import GRAIN_NS, Finding, FindingKind, Usage, UsageMeasure
from swarmscope.model.labels import DEFAULT_TENANT

_BASE_MINUTES = 60  # whose spends tell what comes
_MIN_MINUTES = 10  # fewer tell nothing of the future
_Z80 = NormalDist().inv_cdf(0.9)  # two-sided 80 %
_SURE = 0.9  # a forecast is a finding from this probability on
_DAY_NS = 24 * 3600 * 10**9
_COSTS = (UsageMeasure.COST_USD,)
_TOKENS = (UsageMeasure.INPUT_TOKENS, UsageMeasure.OUTPUT_TOKENS)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in each period; periods begin at multiples of `period_ns` since 1970 (days: midnight UTC)."""

    name: str
    limit: float
    unit: Literal["usd", "tokens"] = "usd"
    per: Literal["agent", "team", "conversation", "day"] = "day"  # day: the whole fleet
    of: str = ""  # whose; empty: of each
    period_ns: int = _DAY_NS

    def period(self, now_ns: int) -> tuple[int, int]:
        """When the running period begins and ends."""
        begin_ns = now_ns - now_ns % self.period_ns
        return begin_ns, begin_ns + self.period_ns


@dataclass(frozen=True, slots=True)
class Spend:
    """What one subject spent, by minute; minutes without any are left out."""

    minute_ns: NDArray[np.int64]  # [n] multiples of GRAIN_NS
    amount: NDArray[np.float64]  # [n] in the unit of the budget


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """How far a budget is used up by one subject."""

    budget: Budget
    subject: str  # the agent, team or conversation; empty for the fleet
    used: float
    burn_rate: float  # of the last hour; 1 uses all up exactly within a period
    burn_rate_5m: float
    period_start_ns: int
    period_end_ns: int
    exhausted_ns: int | None  # when it was or will be used up; None where not within the period
    earliest_ns: int | None  # 80 % interval of that
    latest_ns: int | None
    probability: float  # that it is used up before the period ends

    @property
    def used_ratio(self) -> float:
        """1 where nothing is left."""
        return self.used / self.budget.limit if self.budget.limit > 0 else math.inf


def to_spends(usage: Usage, vocabulary: Vocabulary, budget: Budget) -> dict[str, Spend]:
    """Spends by subject of a budget per agent, team or day, out of usage by minute. Raises ValueError for others."""
    if budget.per == "conversation":
        raise ValueError("usage tells nothing of conversations")
    columns = list(_COSTS if budget.unit == "usd" else _TOKENS)
    amount = usage.measures[:, columns].sum(axis=1)
    if budget.per == "day":
        return {"": _by_minute(usage.minute_ns, amount)} if len(usage) else {}
    column = usage.agent if budget.per == "agent" else usage.team
    spends = {}
    for code in np.unique(column).tolist():
        name = vocabulary.text(code)
        if code != NO_TEXT and budget.of in ("", name):
            rows = column == code
            spends[name] = _by_minute(usage.minute_ns[rows], amount[rows])
    return spends


def judge_budget(budget: Budget, spends: Mapping[str, Spend], now_ns: int) -> list[BudgetStatus]:
    """One status for each subject; spends are those of the running period and of the last hour."""
    return [_judge(budget, subject, spend, now_ns) for subject, spend in sorted(spends.items())]


def to_findings(statuses: list[BudgetStatus], tenant: str = DEFAULT_TENANT) -> list[Finding]:
    """Budgets that are used up, or will be before their period ends with a probability of 0.9 or more."""
    found = []
    for status in statuses:
        if status.probability < _SURE:
            continue
        budget, subject = status.budget, status.subject
        is_over = status.used >= budget.limit
        whose = f"{budget.name} of {subject}" if subject else budget.name
        what = "is used up" if is_over else "will be used up before its period ends"
        evidence: dict[str, object] = {
            "budget": budget.name, "per": budget.per, "subject": subject, "unit": budget.unit, "limit": budget.limit,
            "used": status.used, "burn_rate": status.burn_rate, "probability": status.probability,
            "threshold": _SURE, "period_end_ns": status.period_end_ns, "exhausted_ns": status.exhausted_ns,
            "earliest_ns": status.earliest_ns, "latest_ns": status.latest_ns,
        }  # fmt: skip
        finding = Finding(
            id=finding_id(FindingKind.BUDGET, budget.name, subject, str(status.period_start_ns)),
            kind=FindingKind.BUDGET,
            agents=(subject,) if budget.per == "agent" else (),
            begin_ns=status.period_start_ns,
            end_ns=0,
            confidence=status.probability,
            summary=f"budget {whose} {what}: {status.used:.6g} of {budget.limit:.6g} {budget.unit} are gone",
            evidence=evidence,
            tenant=tenant,
        )
        found.append(finding)
    return found


def _by_minute(minute_ns: NDArray[np.int64], amount: NDArray[np.float64]) -> Spend:
    minutes, which = np.unique(minute_ns, return_inverse=True)
    return Spend(minutes, np.bincount(which, weights=amount, minlength=len(minutes)).astype(np.float64))


def _judge(budget: Budget, subject: str, spend: Spend, now_ns: int) -> BudgetStatus:
    begin_ns, end_ns = budget.period(now_ns)
    inside = (spend.minute_ns >= begin_ns) & (spend.minute_ns <= now_ns)
    used = float(spend.amount[inside].sum())
    mean, variance, n_minutes = _rate(spend, now_ns, _BASE_MINUTES)
    last_mean, _, _ = _rate(spend, now_ns, 5)
    even = budget.limit / (budget.period_ns / GRAIN_NS)  # what may be spent in a minute
    burns = (mean / even, last_mean / even) if even > 0 else (math.inf, math.inf)
    left, minutes_left = budget.limit - used, (end_ns - now_ns) / GRAIN_NS
    when: tuple[int | None, int | None, int | None] = (None, None, None)
    probability = 0.0
    if left <= 0:
        over = np.flatnonzero(np.cumsum(spend.amount[inside]) >= budget.limit)
        over_ns = int(spend.minute_ns[inside][over[0]]) if len(over) else begin_ns
        when, probability = (over_ns, over_ns, over_ns), 1.0
    elif n_minutes >= _MIN_MINUTES and mean > 0:
        when = _exhausted(left, mean, variance, n_minutes, now_ns)
        sigma = math.sqrt(max(minutes_left * variance * (1 + minutes_left / n_minutes), 1e-300))
        probability = NormalDist().cdf((minutes_left * mean - left) / sigma)
        if when[0] is not None and when[0] > end_ns:
            when = (None, when[1] if when[1] is not None and when[1] <= end_ns else None, None)
    return BudgetStatus(budget, subject, used, *burns, begin_ns, end_ns, *when, probability)


def _rate(spend: Spend, now_ns: int, n_minutes: int) -> tuple[float, float, int]:
    """Mean and variance of the spends of the last whole minutes, and how many these are."""
    end = now_ns // GRAIN_NS
    minute = spend.minute_ns // GRAIN_NS
    if not len(minute) or minute.min() >= end:
        return 0.0, 0.0, 0
    # Before the first spend nothing is known.
    n = int(min(n_minutes, end - minute.min()))
    amounts = np.zeros(n)
    recent = (minute >= end - n) & (minute < end)
    np.add.at(amounts, minute[recent] - (end - n), spend.amount[recent])
    return float(amounts.mean()), float(amounts.var(ddof=1)) if n > 1 else 0.0, n


def _exhausted(left: float, mean: float, variance: float, n: int, now_ns: int) -> tuple[int, int, int]:
    """When what is left will be gone, and its 80 % interval (log-normal with the same mean and variance)."""
    minutes = left / mean
    relative = variance / (mean * left) + variance / (n * mean * mean)  # squared deviation over squared mean
    sigma = math.sqrt(math.log1p(relative))
    bounds = (1.0, math.exp(-_Z80 * sigma), math.exp(_Z80 * sigma))
    # Nobody plans for further than a century.
    most = 100 * 366 * 1440.0
    first, low, high = (now_ns + int(min(minutes * factor, most) * GRAIN_NS) for factor in bounds)
    return first, low, high

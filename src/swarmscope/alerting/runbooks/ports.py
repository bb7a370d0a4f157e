"""What runbooks need of the rest of the program, handed in by `app`, and how they are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from swarmscope.alerting.runbooks.runs import Run
from swarmscope.model.matchers import Matcher


class SilenceRequest(NamedTuple):
    """A silence that an action asks for. Times are Unix nanoseconds."""

    tenant: str
    matchers: tuple[Matcher, ...]
    starts_ns: int
    ends_ns: int
    created_by: str
    comment: str


def _no_lines(runs: Sequence[Run]) -> None:
    """Runs are not told to anybody."""


def _no_incident(tenant: str, labels: Mapping[str, str]) -> str:
    return ""


def _no_note(tenant: str, incident: str, kind: str, text: str) -> None:
    """Incidents are not told."""


@dataclass(frozen=True, slots=True)
class RunbookPorts:
    """Every one may block and may raise; nothing of it is called by who hands in alerts."""

    # Whether PromQL, for a tenant, gives something now. None: preconditions with queries do not hold.
    holds: Callable[[str, str], bool] | None = None
    silence: Callable[[SilenceRequest], str] | None = None  # gives its id
    write_runs: Callable[[Sequence[Run]], None] = _no_lines  # as log lines; all of one tenant
    incident_of: Callable[[str, Mapping[str, str]], str] = _no_incident  # of an alert's labels, "" for none
    note: Callable[[str, str, str, str], None] = _no_note  # tenant, incident, kind, text


@dataclass(frozen=True, slots=True)
class RunbookSettings:
    """Where runbooks are, and what they may do."""

    folder: Path
    allowed_programs: tuple[Path, ...] = ()
    dry_run_only: bool = False  # whatever runbooks say
    workers: int = 4  # actions at once
    max_waiting: int = 10_000  # alerts that wait to be looked at
    max_kept_runs: int = 5_000
    look_every_s: float = 5.0  # at the files, and at approvals that nobody gave
    seen: int = field(default=100_000)  # firings that are remembered, so that none is acted on twice

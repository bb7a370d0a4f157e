"""What Alertmanager's API works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import Runner
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import Clock
from swarmscope.model.matchers import Matcher

# Clients choose what they send by this number: the Alertmanager release whose API this package follows.
ALERTMANAGER_VERSION = "0.34.0"


class AlertStanding(NamedTuple):
    """Where an alert is on its way to receivers."""

    state: str  # `unprocessed`, `active` or `suppressed`
    silenced_by: Sequence[str] = ()  # ids of silences
    inhibited_by: Sequence[str] = ()  # fingerprints of alerts
    muted_by: Sequence[str] = ()  # names of time intervals


class StandingAlert(NamedTuple):
    """An alert that is remembered, those that receive it in the order of routes, and its standing."""

    alert: Alert
    receivers: Sequence[str]
    standing: AlertStanding


class StandingGroup(NamedTuple):
    """Alerts that are told of together; `muted_by` names the time intervals that keep all of it back."""

    labels: Mapping[str, str]
    route_labels: Mapping[str, str]
    receiver: str
    alerts: Sequence[StandingAlert]
    muted_by: Sequence[str] = ()


class KeptSilence(NamedTuple):
    """A silence. Times are Unix nanoseconds."""

    id: str
    matchers: Sequence[Matcher]
    starts_ns: int
    ends_ns: int
    updated_ns: int
    created_by: str
    comment: str
    annotations: Mapping[str, str]
    state: str  # `active`, `pending` or `expired`


class SilenceRefusedError(Exception):
    """A silence cannot be made or changed so; the text says why."""


class UnknownSilenceError(Exception):
    """There is no silence of that id."""


class AlertHouse(Protocol):
    """Alerts, groups and silences as they are now. Thread-safe; calls may block for a write to disk."""

    def alerts(self, tenant: str) -> Sequence[StandingAlert]:
        """All that are not over, in no order."""
        ...

    def groups(self, tenant: str) -> Sequence[StandingGroup]:
        """All groups that hold an alert that is not over, by labels and receiver."""
        ...

    def take(self, alerts: Sequence[Alert]) -> None:
        """Remember and route them."""
        ...

    def resolve_timeout_ns(self) -> int:
        """After how long an alert without an end is over, unless it is sent again."""
        ...

    def receivers(self) -> Sequence[str]:
        """Names, in the order of the configuration."""
        ...

    def config_text(self) -> str:
        """The configuration in force, secrets left out."""
        ...

    def silences(self) -> Sequence[KeptSilence]:
        """All that are remembered, in no order."""
        ...

    def silence(self, silence_id: str) -> KeptSilence:
        """One. Raises UnknownSilenceError."""
        ...

    def set_silence(self, silence: KeptSilence) -> str:
        """Make it (`id` ""), change it, or end it and make another where it cannot be changed so; the id.

        Raises UnknownSilenceError and SilenceRefusedError.
        """
        ...

    def expire_silence(self, silence_id: str) -> None:
        """End it. Raises UnknownSilenceError."""
        ...


@dataclass(frozen=True, slots=True)
class AlertmanagerParts:
    """Everything the API works with."""

    house: AlertHouse
    clock: Clock
    run: Runner
    is_ready: Callable[[], bool]
    reload: Callable[[], None]  # raises SwarmscopeError, and leaves all as it was
    started_ns: int
    version: str
    prefix: str = "/alertmanager"
    on_request: Callable[[RequestRecord], None] = lambda record: None

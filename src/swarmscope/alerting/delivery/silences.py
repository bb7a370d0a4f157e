"""Silences: who they keep quiet, and how they may be changed.

Source: https://prometheus.io/docs/alerting/latest/alertmanager/#silences
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import orjson

from swarmscope.lang.matchers import LabelsTest, labels_test, value_test
from swarmscope.model.contracts import StateStore
from swarmscope.model.errors import QueryFailedError, SwarmscopeError
from swarmscope.model.matchers import Matcher, MatchOperator

KIND = "silence"
_NS_PER_S = 1_000_000_000
_KEPT_NS = 120 * 3600 * 1_000_000_000  # after its end


class SilenceState(StrEnum):
    """Where a silence is, by the clock alone."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class SilenceRefusedError(SwarmscopeError):
    """A silence cannot be made or changed so; the text says why."""


class UnknownSilenceError(SwarmscopeError):
    """There is no silence of that id."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence. Times are Unix nanoseconds."""

    matchers: tuple[Matcher, ...]
    starts_ns: int
    ends_ns: int
    created_by: str = ""
    comment: str = ""
    id: str = ""
    updated_ns: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)

    def state(self, now_ns: int) -> SilenceState:
        """By the clock."""
        if now_ns < self.starts_ns:
            return SilenceState.PENDING
        return SilenceState.EXPIRED if now_ns >= self.ends_ns else SilenceState.ACTIVE


def check(silence: Silence) -> None:
    """Raise SilenceRefusedError where it makes no sense."""
    if not silence.matchers:
        raise SilenceRefusedError("invalid silence: at least one matcher required")
    if silence.ends_ns <= silence.starts_ns:
        raise SilenceRefusedError("invalid silence: end time must not be before start time")
    all_empty = True
    for at, matcher in enumerate(silence.matchers):
        if not matcher.name:
            raise SilenceRefusedError(f"invalid silence: invalid label matcher {at}: invalid label name")
        try:
            matches_nothing = value_test(matcher)("")
        except SwarmscopeError as error:
            raise SilenceRefusedError(f"invalid silence: invalid label matcher {at}: {error}") from error
        # As in Alertmanager `!=` and `!~` count as conditions, though labels that are not there fulfil them.
        is_positive = matcher.operator in (MatchOperator.EQUAL, MatchOperator.REGEX)
        all_empty = all_empty and matches_nothing and is_positive
    if all_empty:
        raise SilenceRefusedError("invalid silence: at least one matcher must not match the empty string")


class Silences:
    """All silences. The caller holds a lock."""

    def __init__(self, state: StateStore) -> None:
        """Takes up what was kept. Raises UnavailableError."""
        self._state = state
        self._silences = {name: _from_record(name, record) for name, record in state.load(KIND).items()}
        self._tests: dict[str, LabelsTest] = {}

    def all(self) -> list[Silence]:
        """In no order."""
        return list(self._silences.values())

    def get(self, name: str) -> Silence:
        """One. Raises UnknownSilenceError."""
        try:
            return self._silences[name]
        except KeyError:
            raise UnknownSilenceError("silence not found") from None

    def put(self, silence: Silence, now_ns: int) -> str:
        """Make or change one; its id. Raises SilenceRefusedError, UnknownSilenceError and UnavailableError."""
        check(silence)
        if silence.id:
            old = self.get(silence.id)
            if _may_change(old, silence, now_ns):
                starts_ns = old.starts_ns if old.state(now_ns) == SilenceState.ACTIVE else silence.starts_ns
                self._keep(replace(silence, starts_ns=starts_ns, updated_ns=now_ns))
                return silence.id
            if old.state(now_ns) != SilenceState.EXPIRED:
                self.expire(old.id, now_ns)
        if silence.ends_ns <= now_ns:
            raise SilenceRefusedError("invalid silence: end time can't be in the past")
        made = replace(silence, id=str(uuid.uuid4()), starts_ns=max(silence.starts_ns, now_ns), updated_ns=now_ns)
        self._keep(made)
        return made.id

    def expire(self, name: str, now_ns: int) -> None:
        """End one. Raises UnknownSilenceError, SilenceRefusedError and UnavailableError."""
        old = self.get(name)
        match old.state(now_ns):
            case SilenceState.EXPIRED:
                raise SilenceRefusedError(f"silence {name} already expired")
            case SilenceState.PENDING:
                self._keep(replace(old, starts_ns=now_ns, ends_ns=now_ns, updated_ns=now_ns))
            case SilenceState.ACTIVE:
                self._keep(replace(old, ends_ns=now_ns, updated_ns=now_ns))

    def silenced_by(self, labels: Mapping[str, str], now_ns: int) -> list[str]:
        """Ids of the silences that keep an alert quiet, sorted."""
        return sorted(
            name
            for name, silence in self._silences.items()
            if silence.starts_ns <= now_ns < silence.ends_ns and self._test(silence)(labels)
        )

    def forget_old(self, now_ns: int) -> None:
        """Drop what ended long ago."""
        gone = [name for name, silence in self._silences.items() if silence.ends_ns + _KEPT_NS < now_ns]
        for name in gone:
            del self._silences[name]
            self._tests.pop(name, None)
        if gone:
            self._state.write(KIND, dict.fromkeys(gone))

    def _test(self, silence: Silence) -> LabelsTest:
        test = self._tests.get(silence.id)
        if test is None:
            try:
                test = labels_test(silence.matchers)
            except QueryFailedError:
                test = _never
            self._tests[silence.id] = test
        return test

    def _keep(self, silence: Silence) -> None:
        self._state.write(KIND, {silence.id: _to_record(silence)})
        self._silences[silence.id] = silence
        self._tests.pop(silence.id, None)


def _never(labels: Mapping[str, str]) -> bool:
    return False


def _may_change(old: Silence, new: Silence, now_ns: int) -> bool:
    """Whether it stays the same silence."""
    if set(old.matchers) != set(new.matchers):
        return False
    match old.state(now_ns):
        case SilenceState.ACTIVE:
            # The API gives milliseconds, so what comes back from there is the same to the second, as in Alertmanager.
            return old.starts_ns // _NS_PER_S == new.starts_ns // _NS_PER_S and new.ends_ns >= now_ns
        case SilenceState.PENDING:
            return new.starts_ns >= now_ns
        case SilenceState.EXPIRED:
            return False


def _to_record(silence: Silence) -> bytes:
    return orjson.dumps(
        {
            "matchers": [[each.name, each.operator.value, each.value] for each in silence.matchers],
            "starts_ns": silence.starts_ns, "ends_ns": silence.ends_ns, "created_by": silence.created_by,
            "comment": silence.comment, "updated_ns": silence.updated_ns, "annotations": dict(silence.annotations),
        }
    )  # fmt: skip


def _from_record(name: str, record: bytes) -> Silence:
    told = orjson.loads(record)
    matchers = tuple(Matcher(each[0], MatchOperator(each[1]), each[2]) for each in told.pop("matchers"))
    return Silence(matchers=matchers, id=name, **told)

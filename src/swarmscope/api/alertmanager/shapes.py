"""What the API answers, ready for JSON. Lists are never null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmscope.api.alertmanager.moments import spell_moment
from swarmscope.api.alertmanager.parts import AlertStanding, KeptSilence, StandingAlert, StandingGroup
from swarmscope.model.matchers import Matcher, MatchOperator

_REGEXES = (MatchOperator.REGEX, MatchOperator.NOT_REGEX)
_POSITIVE = (MatchOperator.EQUAL, MatchOperator.REGEX)
_SUPPRESSED = "suppressed"


def to_alert_json(shown: StandingAlert, muted_by: Sequence[str] = ()) -> dict[str, Any]:
    """`gettableAlert`; `muted_by` is of the group that it is shown in: outside of groups there is none."""
    alert, standing = shown.alert, shown.standing
    told = {
        "annotations": dict(alert.annotations),
        "endsAt": spell_moment(alert.ends_ns),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in shown.receivers],
        "startsAt": spell_moment(alert.starts_ns),
        "status": _status_json(standing, muted_by),
        "updatedAt": spell_moment(alert.updated_ns),
        "labels": dict(alert.labels),
    }
    return {**told, "generatorURL": alert.generator_url} if alert.generator_url else told


def _status_json(standing: AlertStanding, muted: Sequence[str]) -> dict[str, Any]:
    return {
        "state": _SUPPRESSED if muted else standing.state,
        "silencedBy": list(standing.silenced_by),
        "inhibitedBy": list(standing.inhibited_by),
        "mutedBy": list(muted),
    }


def to_group_json(group: StandingGroup, alerts: Sequence[StandingAlert]) -> dict[str, Any]:
    """`alertGroup` with the alerts that were asked for."""
    return {
        "labels": dict(group.labels),
        "routeLabels": dict(group.route_labels),
        "receiver": {"name": group.receiver},
        "alerts": [to_alert_json(alert, group.muted_by) for alert in alerts],
    }


def to_silence_json(silence: KeptSilence) -> dict[str, Any]:
    """`gettableSilence`."""
    told = {
        "id": silence.id,
        "status": {"state": silence.state},
        "updatedAt": spell_moment(silence.updated_ns),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": spell_moment(silence.ends_ns),
        "matchers": [_matcher_json(matcher) for matcher in silence.matchers],
        "startsAt": spell_moment(silence.starts_ns),
    }
    return {**told, "annotations": dict(silence.annotations)} if silence.annotations else told


def _matcher_json(matcher: Matcher) -> dict[str, Any]:
    return {
        "isEqual": matcher.operator in _POSITIVE,
        "isRegex": matcher.operator in _REGEXES,
        "name": matcher.name,
        "value": matcher.value,
    }


def to_matcher(name: str, value: str, *, is_regex: bool, is_equal: bool) -> Matcher:
    """The matcher that two flags mean."""
    if is_regex:
        return Matcher(name, MatchOperator.REGEX if is_equal else MatchOperator.NOT_REGEX, value)
    return Matcher(name, MatchOperator.EQUAL if is_equal else MatchOperator.NOT_EQUAL, value)

"""What is asked for of alerts and receivers: `filter`, `receiver`, `receiver_matchers` and the states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarmscope.api.alertmanager.endpoint import Exchange
from swarmscope.api.alertmanager.parts import StandingAlert
from swarmscope.api.alertmanager.refusals import refuse
from swarmscope.lang.matchers import parse_matcher, value_test
from swarmscope.lang.matchers.match import compiled
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

AlertFilter = Callable[[StandingAlert], bool]
_NEGATIVE = (MatchOperator.NOT_EQUAL, MatchOperator.NOT_REGEX)
_NAME = "name"


def read_filter(texts: Sequence[str]) -> list[Matcher]:
    """Matchers of `filter`. Raises Refusal."""
    try:
        return [parse_matcher(text) for text in texts]
    except QuerySyntaxError as error:
        raise refuse(str(error)) from None


def receiver_filter(exchange: Exchange) -> Callable[[str], bool]:
    """Whether a receiver is asked for, by `receiver` and `receiver_matchers`. Raises Refusal."""
    tests = [_receiver_test(matcher) for matcher in read_filter(exchange.texts("receiver_matchers"))]
    if (text := exchange.text("receiver")) is not None:
        try:
            pattern: Any = compiled(text)
        except QuerySyntaxError as error:
            raise refuse(f"failed to parse receiver param: {error}") from None
        tests.append(lambda name: pattern.fullmatch(name) is not None)
    return lambda name: all(test(name) for test in tests)


def _receiver_test(matcher: Matcher) -> Callable[[str], bool]:
    """Receivers have one label, their name."""
    test = value_test(matcher)
    return test if matcher.name == _NAME else lambda name: test("")


def labels_filter(matchers: Sequence[Matcher]) -> Callable[[Mapping[str, str]], bool]:
    """Whether an alert with such labels is asked for. Raises QuerySyntaxError."""
    tests = [(matcher, value_test(matcher)) for matcher in matchers]

    def is_wanted(labels: Mapping[str, str]) -> bool:
        for matcher, test in tests:
            # As in Alertmanager: an empty value asks whether the label is there at all.
            if not matcher.value and (matcher.name in labels) == (matcher.operator in _NEGATIVE):
                continue
            if not test(labels.get(matcher.name, "")):
                return False
        return True

    return is_wanted


def alert_filter(exchange: Exchange) -> AlertFilter:
    """Whether an alert is asked for, by its labels and its state. Raises Refusal."""
    has_labels = labels_filter(read_filter(exchange.texts("filter")))
    active, silenced = exchange.flag("active", default=True), exchange.flag("silenced", default=True)
    inhibited, unprocessed = exchange.flag("inhibited", default=True), exchange.flag("unprocessed", default=True)

    def is_wanted(shown: StandingAlert) -> bool:
        standing = shown.standing
        if (not active and standing.state == "active") or (not unprocessed and standing.state == "unprocessed"):
            return False
        if (not silenced and standing.silenced_by) or (not inhibited and standing.inhibited_by):
            return False
        return has_labels(shown.alert.labels)

    return is_wanted

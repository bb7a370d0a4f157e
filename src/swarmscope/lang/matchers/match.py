"""Whether labels fulfil matchers. For a few alerts at a time; series go through the store's catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

LabelsTest: TypeAlias = Callable[[Mapping[str, str]], bool]


def value_test(matcher: Matcher) -> Callable[[str], bool]:
    """Tests a label's value, "" where there is none. Raises QuerySyntaxError: the regular expression is none."""
    wanted = matcher.value
    match matcher.operator:
        case MatchOperator.EQUAL:
            return lambda value: value == wanted
        case MatchOperator.NOT_EQUAL:
            return lambda value: value != wanted
        case MatchOperator.REGEX:
            pattern = compiled(wanted)
            return lambda value: pattern.fullmatch(value) is not None
        case MatchOperator.NOT_REGEX:
            pattern = compiled(wanted)
            return lambda value: pattern.fullmatch(value) is None


def labels_test(matchers: Sequence[Matcher]) -> LabelsTest:
    """Tests whether labels fulfil all of them; none at all hold for every label set. Raises QuerySyntaxError."""
    tests = [(matcher.name, value_test(matcher)) for matcher in matchers]
    return lambda labels: all(test(labels.get(name, "")) for name, test in tests)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """An RE2 pattern; a dot stands for a line's end too, as in Prometheus' matchers. Raises QuerySyntaxError."""
    import re2  # type: ignore[import-untyped]  # here: the command line reads matchers without the server's packages

    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise QuerySyntaxError(f"error parsing regexp: {told}") from None

"""Matchers compiled to tests on columns of symbol codes.

A regex runs once per distinct value, ever: its verdict on each symbol is remembered. Regexes are RE2, match the whole
value, and a dot matches a line feed too, as in Prometheus 3.
https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2  # type: ignore[import-untyped]
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.series import ABSENT
from swarmscope.store.catalogue.arrow_columns import string_array
from swarmscope.store.catalogue.symbols import SymbolPool

_META = frozenset(".+*?()[]{}^$")
_NEVER = -2  # a code that no column holds: text that the catalogue has never seen
_FEW_CODES = 4  # up to here one comparison per code beats a table over all symbols
# Verdict tables take a byte per symbol and regex; together no more than this.
_MAX_VERDICT_BYTES = 64 << 20
_MAX_REGEXES = 256

_UNKNOWN, _NO, _YES = 0, 1, 2


class ValueTest(Protocol):
    """A condition on the codes of one label; ABSENT stands for the empty value."""

    def apply(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where `codes` [n] fulfil the condition."""
        ...


class AnyValue:
    """Holds for every value (`=~".*"`) or, negated, for none."""

    def __init__(self, negated: bool) -> None:
        self._answer = not negated

    def apply(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """All or nothing, [n]."""
        return np.full(len(codes), self._answer)


class OneOf:
    """Holds for a set of codes; negated, for all others."""

    def __init__(self, codes: set[int], negated: bool) -> None:
        self._codes = sorted(codes)
        self._negated = negated
        self._table = np.zeros(0, np.bool_)
        if len(self._codes) > _FEW_CODES:
            self._table = np.zeros(self._codes[-1] + 3, np.bool_)
            self._table[np.array(self._codes) + 2] = True

    def apply(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where the code is in the set, or is not when negated, [n]."""
        if len(self._table):
            chosen = _looked_up(codes, self._table)
        else:
            chosen = codes == self._codes[0]
            for code in self._codes[1:]:
                chosen |= codes == code
        return ~chosen if self._negated else chosen


class RegexVerdicts:
    """One regex and what it says of each symbol so far. Thread-safe."""

    def __init__(self, regex: str, symbols: SymbolPool) -> None:
        self._regex = regex
        self._symbols = symbols
        self._lock = threading.Lock()
        self._pattern = _compiled(regex)
        self._verdicts = np.zeros(1024, np.uint8)
        self._verdicts[0] = _YES if self._pattern.fullmatch(b"") else _NO

    def matching(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where the regex matches the text of `codes` [n]."""
        with self._lock:
            needed = self._symbols.snapshot.n + 1
            if len(self._verdicts) < needed:
                grown = np.zeros(max(needed, 2 * len(self._verdicts)), np.uint8)
                grown[: len(self._verdicts)] = self._verdicts
                self._verdicts = grown
            matched, unknown = _judged(codes, self._verdicts)
            if unknown:
                self._judge(np.unique(codes[self._verdicts[codes + 1] == _UNKNOWN]))
                matched, _ = _judged(codes, self._verdicts)
            return matched

    def _judge(self, codes: NDArray[np.int32]) -> None:
        texts = string_array(self._symbols.snapshot.tables, codes)
        if literal_prefix(self._regex) is not None:
            answer = pc.starts_with(texts, pattern=literal_prefix(self._regex))
        elif "\\Q" in self._regex:  # an open quotation would swallow the anchor
            matches = [self._pattern.fullmatch(text.as_buffer().to_pybytes()) is not None for text in texts]
            answer = pa.array(matches)
        else:
            answer = pc.match_substring_regex(texts, pattern=f"\\A(?s:{self._regex})\\z")
        self._verdicts[codes + 1] = np.where(np.asarray(answer), _YES, _NO)


class RegexTest:
    """Holds where a regex matches, or, negated, where it does not."""

    def __init__(self, verdicts: RegexVerdicts, negated: bool) -> None:
        self._verdicts = verdicts
        self._negated = negated

    def apply(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Where the condition holds, [n]."""
        matched = self._verdicts.matching(codes)
        return ~matched if self._negated else matched


@njit(nogil=True, cache=True)
def _judged(codes: NDArray[np.int32], verdicts: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], bool]:
    matched = np.empty(len(codes), np.bool_)
    unknown = False
    for index in range(len(codes)):
        verdict = verdicts[codes[index] + 1]
        matched[index] = verdict == _YES
        unknown = unknown or verdict == _UNKNOWN
    return matched, unknown


@njit(nogil=True, cache=True)
def _looked_up(codes: NDArray[np.int32], table: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.zeros(len(codes), np.bool_)
    for index in range(len(codes)):
        position = codes[index] + 2
        found[index] = position < len(table) and table[position]
    return found


def _compiled(regex: str) -> re2._Regexp:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(regex.encode(), options)
    except re2.error as error:
        cause = error.args[0] if error.args else error
        raise QueryFailedError(
            f'invalid regex "{regex}": {cause.decode(errors="replace") if isinstance(cause, bytes) else cause}'
        ) from error
    except UnicodeEncodeError as error:
        raise QueryFailedError(f"invalid regex {regex!r}: not valid Unicode ({error.reason})") from error


def literal_alternatives(regex: str) -> list[str] | None:
    """The texts that a regex such as `a|b\\.c|d` or `(a|b)` matches, or None where it is not that plain."""
    if regex.startswith("(") and regex.endswith(")"):
        regex = regex[3:-1] if regex.startswith("(?:") else regex[1:-1]
    alternatives: list[str] = []
    current: list[str] = []
    characters = iter(regex)
    for character in characters:
        if character == "|":
            alternatives.append("".join(current))
            current = []
        elif character == "\\":
            escaped = next(characters, "")
            if not escaped.isascii() or escaped.isalnum() or escaped in ("", "_"):
                return None
            current.append(escaped)
        elif character in _META:
            return None
        else:
            current.append(character)
    return [*alternatives, "".join(current)]


def literal_prefix(regex: str) -> str | None:
    """The prefix in a regex such as `foo.*`, or None."""
    if not regex.endswith(".*"):
        return None
    alternatives = literal_alternatives(regex[:-2]) if "|" not in regex and "(" not in regex else None
    return alternatives[0] if alternatives else None


class MatcherCompiler:
    """Compiles matchers, and keeps the verdicts of recently used regexes. Thread-safe."""

    def __init__(self, symbols: SymbolPool) -> None:
        self._symbols = symbols
        self._regexes: OrderedDict[str, RegexVerdicts] = OrderedDict()
        self._lock = threading.Lock()

    def compile_matcher(self, matcher: Matcher) -> ValueTest:
        """The test that a matcher asks for; raises QueryFailedError on a bad regex."""
        negated = matcher.operator in (MatchOperator.NOT_EQUAL, MatchOperator.NOT_REGEX)
        if matcher.operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
            return OneOf({self._code(matcher.value)}, negated)
        if matcher.value == ".*":
            return AnyValue(negated)
        if matcher.value == ".+":
            return OneOf({ABSENT}, not negated)
        alternatives = literal_alternatives(matcher.value)
        if alternatives is not None:
            return OneOf({self._code(text) for text in alternatives}, negated)
        return RegexTest(self._verdicts(matcher.value), negated)

    def _code(self, text: str) -> int:
        if text == "":
            return ABSENT
        code = self._symbols.code(text)
        return _NEVER if code == ABSENT else code

    def _verdicts(self, regex: str) -> RegexVerdicts:
        with self._lock:
            known = self._regexes.get(regex)
            if known is not None:
                self._regexes.move_to_end(regex)
                return known
        verdicts = RegexVerdicts(regex, self._symbols)
        room = max(1, min(_MAX_REGEXES, _MAX_VERDICT_BYTES // (2 * self._symbols.snapshot.n + 1)))
        with self._lock:
            self._regexes[regex] = verdicts
            while len(self._regexes) > room:
                self._regexes.popitem(last=False)
        return verdicts

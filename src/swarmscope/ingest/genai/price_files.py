"""The operator's own prices: a YAML file, checked as a whole, errors told with file, line and place."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from swarmscope.ingest.genai.canonical_words import canonical_model, canonical_provider

_NS_PER_S = 1_000_000_000
_AMOUNTS = ("input", "output", "cache_read", "cache_write", "reasoning")
_ENTRY_FIELDS = frozenset({"provider", "model", "from", "until", "request", "tiers", *_AMOUNTS})
_TIER_FIELDS = frozenset({"above", *_AMOUNTS})


class PriceFileError(Exception):
    """A price file is not what it should be; the text names the file, the line, the place and what is wrong."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """USD for a million tokens of each kind, from so many input tokens on; None: as what it is a part of."""

    above: int  # -1 for the first
    input: float | None
    output: float | None
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """The price of one model, or of all that a pattern names, in a range of time."""

    model: str  # in small letters; `*` stands for any letters
    tiers: tuple[PriceTier, ...]  # at least one, ascending
    provider: str = ""  # one of OpenTelemetry's; "" for any
    from_ns: int | None = None  # inclusive
    until_ns: int | None = None  # exclusive
    request: float = 0.0  # USD for one call

    def fits(self, provider: str, model: str, at_ns: int) -> bool:
        """Whether this is the price of the model at that time."""
        return (
            (not self.provider or self.provider == provider)
            and (self.from_ns is None or self.from_ns <= at_ns)
            and (self.until_ns is None or at_ns < self.until_ns)
            and fnmatch.fnmatchcase(model.lower(), self.model)
        )


def load_price_file(path: Path) -> list[PriceOverride]:
    """The prices of a file, in its order. Raises PriceFileError, and OSError where it cannot be read."""
    return parse_prices(path.read_text(encoding="utf-8"), str(path))


def parse_prices(text: str, file: str) -> list[PriceOverride]:
    """As `load_price_file`, from a file's text."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PriceFileError(f"{file}: not YAML: {error}") from error
    reading = _Reading(file, tree)
    match told:
        case None:
            return []
        case {"prices": [*entries], **others} if not others:
            return [reading.entry(entry, ("prices", number)) for number, entry in enumerate(entries)]
        case {"prices": _, **others} if others:
            raise reading.error((str(next(iter(others))),), "unknown field; the file has `prices` alone")
    raise reading.error((), "expected `prices:` with a list of prices")


class _Reading:
    """One file; positions are the keys and numbers that lead to a value."""

    def __init__(self, file: str, tree: yaml.Node | None) -> None:
        self._file = file
        self._tree = tree

    def error(self, place: tuple[str | int, ...], text: str) -> PriceFileError:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
        line = _line_of(self._tree, place)
        return PriceFileError(f"{self._file}:{line}: {where + ': ' if where else ''}{text}")

    def entry(self, told: Any, place: tuple[str | int, ...]) -> PriceOverride:
        fields = self._fields(told, place, _ENTRY_FIELDS)
        model = fields.get("model")
        if not isinstance(model, str) or not model.strip():
            raise self.error((*place, "model") if "model" in fields else place, "a price needs the name of its `model`")
        provider = fields.get("provider", "")
        if not isinstance(provider, str):
            raise self.error((*place, "provider"), "expected a name")
        begin, end = (self._moment(fields, place, name) for name in ("from", "until"))
        if begin is not None and end is not None and end <= begin:
            raise self.error((*place, "until"), "must be after `from`")
        first = self._tier(fields, place, -1)
        request = self._amount(fields, place, "request")
        if first.input is None and first.output is None and request is None:
            raise self.error(place, "at least one of `input`, `output` and `request` is needed")
        return PriceOverride(
            canonical_model(model.strip()).lower(),
            (first, *self._tiers(fields.get("tiers", []), (*place, "tiers"), first)),
            canonical_provider(provider.strip()),
            begin,
            end,
            request or 0.0,
        )

    def _tiers(self, told: Any, place: tuple[str | int, ...], first: PriceTier) -> list[PriceTier]:
        if not isinstance(told, list):
            raise self.error(place, "expected a list")
        tiers: list[PriceTier] = []
        for number, entry in enumerate(told):
            fields = self._fields(entry, (*place, number), _TIER_FIELDS)
            above = fields.get("above")
            if not isinstance(above, int) or isinstance(above, bool) or above < 0:
                raise self.error((*place, number), "`above` must be a number of input tokens, 0 or more")
            if tiers and above <= tiers[-1].above:
                raise self.error((*place, number, "above"), "tiers must stand in ascending order")
            tier = self._tier(fields, (*place, number), above)
            told_amounts = {name: getattr(tier, name) for name in _AMOUNTS}
            # What a tier does not say is as before it.
            amounts = {name: getattr(first, name) if value is None else value for name, value in told_amounts.items()}
            tiers.append(PriceTier(above, **amounts))
        return tiers

    def _tier(self, fields: Mapping[str, Any], place: tuple[str | int, ...], above: int) -> PriceTier:
        return PriceTier(above, *(self._amount(fields, place, name) for name in _AMOUNTS))

    def _fields(self, told: Any, place: tuple[str | int, ...], known: frozenset[str]) -> dict[str, Any]:
        if not isinstance(told, dict):
            raise self.error(place, "expected fields and values")
        for name in told:
            if name not in known:
                raise self.error((*place, name), f"unknown field; known are {', '.join(sorted(known))}")
        return told

    def _amount(self, fields: Mapping[str, Any], place: tuple[str | int, ...], name: str) -> float | None:
        value = fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise self.error((*place, name), f"expected US dollars, 0 or more, got {value!r}")
        return float(value)

    def _moment(self, fields: Mapping[str, Any], place: tuple[str | int, ...], name: str) -> int | None:
        value = fields.get(name)
        match value:
            case None:
                return None
            case datetime():
                moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            case date():
                moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
            case _:
                raise self.error((*place, name), f"expected a date such as 2026-01-31, got {value!r}")
        return int(moment.timestamp()) * _NS_PER_S


def _line_of(tree: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    """The line, from 1 on, at which a value begins; that of what is around it where it is not there."""
    node = tree
    line = 1 if node is None else node.start_mark.line + 1
    for step in place:
        match node:
            case yaml.MappingNode():
                found = [(key, value) for key, value in node.value if key.value == str(step)]
                if not found:
                    return line
                line, node = found[0][0].start_mark.line + 1, found[0][1]
            case yaml.SequenceNode() if isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            case _:
                return line
    return line

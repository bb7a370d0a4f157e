"""OTLP names and units to Prometheus names.

Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ and the description of
https://github.com/prometheus/otlptranslator. Unit codes are UCUM (https://ucum.org/ucum).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmscope.receivers.otlp.settings import TranslationStrategy

_UNIT_WORDS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
# One of them, after a slash ("m" is Prometheus' word for a minute there).
_RATE_WORDS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_NOT_IN_TOKENS = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9:_]+")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class UnitWords:
    """A unit in words: "By/s" is main "bytes" and rate "per_second"; either may be empty."""

    main: str
    rate: str


def _one_unit(text: str, words: dict[str, str]) -> str:
    code = text.strip()
    # What stands in braces is an annotation, not a unit: "{request}".
    return "" if "{" in code or "}" in code else words.get(code, code)


def to_unit_words(unit: str) -> UnitWords:
    """The words of a UCUM unit; unknown codes stay as they are."""
    main, _, rate = unit.partition("/")
    rate_word = _one_unit(rate, _RATE_WORDS)
    return UnitWords(_one_unit(main, _UNIT_WORDS), f"per_{rate_word}" if rate_word else "")


def _clean_unit(text: str) -> str:
    return _NOT_IN_TOKENS.sub("_", text).removeprefix("_")


def to_metadata_unit(unit: str) -> str:
    """A unit as it stands in metadata: "By/s" is "bytes_per_second"."""
    words = to_unit_words(unit)
    return "_".join(filter(None, (_clean_unit(words.main), _clean_unit(words.rate)))).removesuffix("_")


def _guard_digit(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() else name


def _move_last(tokens: list[str], word: str) -> list[str]:
    return [*(token for token in tokens if token != word), word]


def _escaped_with_suffixes(name: str, unit: str, kind: str) -> str:
    tokens = [token for token in _NOT_IN_TOKENS.split(name) if token]
    words = to_unit_words(unit)
    main, rate = _clean_unit(words.main), _clean_unit(words.rate).removesuffix("_")
    if main in tokens:
        main = ""
    if rate == "per" or rate in tokens:
        rate = ""
    if rate:
        main = main.removesuffix("_")
    tokens += [word for word in (main, rate) if word]
    if kind == "counter":
        tokens = _move_last(tokens, "total")
    if kind == "gauge" and unit == "1":
        tokens = _move_last(tokens, "ratio")
    return _guard_digit("_".join(tokens))


def _without_ending(name: str, ending: str) -> str:
    """The name without the ending and the one character (any delimiter) before it."""
    return name[: -len(ending) - 1] if name.endswith(ending) and len(name) > len(ending) + 1 else name


def _utf8_with_suffixes(name: str, unit: str, kind: str) -> str:
    endings: list[str] = []
    words = to_unit_words(unit)
    if kind == "gauge" and unit == "1":
        endings.append("ratio")
    if kind == "counter":
        endings.append("total")
    if words.rate:
        endings.append(words.rate)
    for ending in endings:
        name = _without_ending(name, ending)
    if words.main and not name.endswith(words.main):
        name = f"{name}_{words.main}"
    return "_".join((name, *reversed(endings)))


def to_metric_name(name: str, unit: str, kind: str, strategy: TranslationStrategy) -> str:
    """The family's name. `kind` is Prometheus' type: only "counter" and "gauge" matter.

    Raises ValueError where nothing but underscores would be left.
    """
    if strategy.escapes:
        if strategy.adds_suffixes:
            translated = _escaped_with_suffixes(name, unit, kind)
        else:
            translated = _guard_digit("_".join(filter(None, _NOT_IN_NAMES.split(name))))
    else:
        translated = _utf8_with_suffixes(name, unit, kind) if strategy.adds_suffixes else name
    if not translated or (translated != name and not translated.strip("_")):
        raise ValueError(f"metric name {name!r} has no character that a name may have")
    return translated


def to_label_name(key: str, strategy: TranslationStrategy) -> str:
    """An attribute's key as label name. Raises ValueError for an empty key, or one without any usable character."""
    if not strategy.escapes:
        if not key:
            raise ValueError("an attribute has an empty key")
        return key
    name = _NOT_IN_LABELS.sub("_", key)
    if not name or (name != key and not name.strip("_")):
        raise ValueError(f"attribute key {key!r} has no character that a label may have")
    if name[0].isdigit():
        return f"key_{name}"
    return f"key{name}" if name[0] == "_" and not name.startswith("__") else name

"""Relabelling: Prometheus' `relabel_configs` and `metric_relabel_configs`, every action.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
Regexes are RE2 and match the whole value; a dot matches a newline too, as in Prometheus 3.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import re2  # type: ignore[import-untyped]

from swarmscope.receivers.scrape.names import ValidationScheme, is_valid_label_name

RelabelAction = Literal[
    "replace", "keep", "drop", "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase",
]  # fmt: skip
DEFAULT_REGEX = "(.*)"
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def compile_anchored(pattern: str) -> Any:
    """An RE2 program that is used with `fullmatch`; raises ValueError with RE2's own words."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?s:{pattern})", options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None


def has_reference(template: str) -> bool:
    """Whether `template` names a capture group ($1, ${name})."""
    return any(found[0] != "$$" for found in _REFERENCE.finditer(template))


def expand(template: str, match: Any) -> str:
    """Fill $1, ${1}, $name and ${name}; $$ is a dollar. An unknown group is empty, as in Go's Regexp.Expand."""

    def fill(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(fill, template) if "$" in template else template


@dataclass(frozen=True, slots=True)
class RelabelRule:
    """One rule, ready to run. `regex` is compiled by `compile_anchored`."""

    action: RelabelAction
    regex: Any
    source_labels: tuple[str, ...]
    separator: str
    target_label: str
    replacement: str
    modulus: int
    scheme: ValidationScheme


def apply_relabelling(labels: dict[str, str], rules: Sequence[RelabelRule]) -> bool:
    """Run `rules` on `labels` in place; False where the rules drop the labels' owner.

    Labels never hold empty values afterwards: setting a label to "" removes it.
    """
    return all(_ACTIONS[rule.action](labels, rule) for rule in rules)


def _source(labels: dict[str, str], rule: RelabelRule) -> str:
    return rule.separator.join([labels.get(name, "") for name in rule.source_labels])


def _put(labels: dict[str, str], name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _replace(labels: dict[str, str], rule: RelabelRule) -> bool:
    match = rule.regex.fullmatch(_source(labels, rule))
    if match is None:
        return True
    target = expand(rule.target_label, match)
    if is_valid_label_name(target, rule.scheme):
        _put(labels, target, expand(rule.replacement, match))
    return True


def _keep(labels: dict[str, str], rule: RelabelRule) -> bool:
    return rule.regex.fullmatch(_source(labels, rule)) is not None


def _drop(labels: dict[str, str], rule: RelabelRule) -> bool:
    return rule.regex.fullmatch(_source(labels, rule)) is None


def _keep_equal(labels: dict[str, str], rule: RelabelRule) -> bool:
    return labels.get(rule.target_label, "") == _source(labels, rule)


def _drop_equal(labels: dict[str, str], rule: RelabelRule) -> bool:
    return labels.get(rule.target_label, "") != _source(labels, rule)


def _hash_mod(labels: dict[str, str], rule: RelabelRule) -> bool:
    digest = hashlib.md5(_source(labels, rule).encode(), usedforsecurity=False).digest()
    _put(labels, rule.target_label, str(int.from_bytes(digest[8:], "big") % rule.modulus))
    return True


def _label_map(labels: dict[str, str], rule: RelabelRule) -> bool:
    for name, value in list(labels.items()):
        match = rule.regex.fullmatch(name)
        if match is not None:
            _put(labels, expand(rule.replacement, match), value)
    return True


def _label_drop(labels: dict[str, str], rule: RelabelRule) -> bool:
    for name in [name for name in labels if rule.regex.fullmatch(name) is not None]:
        del labels[name]
    return True


def _label_keep(labels: dict[str, str], rule: RelabelRule) -> bool:
    for name in [name for name in labels if rule.regex.fullmatch(name) is None]:
        del labels[name]
    return True


def _lowercase(labels: dict[str, str], rule: RelabelRule) -> bool:
    _put(labels, rule.target_label, _source(labels, rule).lower())
    return True


def _uppercase(labels: dict[str, str], rule: RelabelRule) -> bool:
    _put(labels, rule.target_label, _source(labels, rule).upper())
    return True


_ACTIONS: dict[RelabelAction, Callable[[dict[str, str], RelabelRule], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash_mod,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
}

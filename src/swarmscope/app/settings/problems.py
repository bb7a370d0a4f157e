"""What is wrong with the settings, in words: the key's path, the value, where it came from and what is allowed."""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
_SECRET_PATHS: tuple[Path, ...] = (("auth",), ("redaction", "hash_key"))


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad key or value."""

    path: str
    value: str
    source: str
    allowed: str

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        return f"{self.path}{shown} ({self.source}): {self.allowed}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` says why, one entry a key."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings that one source gives."""

    source: str
    values: dict[str, Any]

    def holds(self, path: Path) -> bool:
        """Whether this source sets the key at `path`."""
        value: Any = self.values
        for key in path:
            if isinstance(value, dict) and key in value:
                value = value[key]
                continue
            if not isinstance(value, list) or not isinstance(key, int) or key >= len(value):
                return False
            value = value[key]
        return True


def spell_path(path: Path) -> str:
    """`("limits", "tenants", "a", 0)` as `limits.tenants.a[0]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field's type holds: itself, or inside a union, list or dictionary."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, list, dict):
        return next(filter(None, map(model_in, get_args(annotation))), None)
    return None


def allowed_keys(root: type[BaseModel], path: Path) -> list[str]:
    """The keys that may stand at `path` below `root`; empty where that is free."""
    model: type[BaseModel] | None = root
    for key in path:
        if model is None:
            return []
        names = {field.alias or name: field for name, field in model.model_fields.items()}
        if key in names:
            model = model_in(names[str(key)].annotation)
    return sorted(field.alias or name for name, field in model.model_fields.items()) if model else []


def _allowed(root: type[BaseModel], error: ErrorDetails, path: Path) -> str:
    if error["type"] == "extra_forbidden":
        known = allowed_keys(root, path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        return f"unknown key; {guess}allowed here: {', '.join(known)}"
    if error["type"] == "list_type" and isinstance(error["input"], str):
        return 'must be a list; in the environment it is written as JSON, such as ["a", "b"]'
    if error["type"] == "too_short":  # what pydantic says of a secret's length speaks of items
        return "must not be empty"
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def explain(root: type[BaseModel], error: ValidationError, layers: Sequence[Layer]) -> SettingsError:
    """Turn pydantic's report into ours; `layers` stand in rising priority."""
    problems: dict[str, Problem] = {}
    for entry in error.errors(include_url=False):
        path, given = _locate(entry)
        source = next((layer.source for layer in reversed(layers) if layer.holds(path)), "settings")
        secret = any(path[: len(one)] == one for one in _SECRET_PATHS)
        is_whole = not path or entry["type"] == "missing"
        value = "" if is_whole else "(not shown)" if secret else shorten(given)
        where = spell_path(path) or "settings"
        problems.setdefault(where, Problem(where, value, source, _allowed(root, entry, path)))
    return SettingsError(list(problems.values()))


def _locate(entry: ErrorDetails) -> tuple[Path, Any]:
    """The key that an error is about, and its value; a check across sections names its key itself."""
    named = entry.get("ctx", {}).get("key")
    if named is not None and isinstance(entry["input"], dict):
        return (named,), entry["input"].get(named)
    return tuple(key for key in entry["loc"] if key != "[key]"), entry["input"]


def shorten(value: Any) -> str:
    """`value` as the settings would spell it, on one line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

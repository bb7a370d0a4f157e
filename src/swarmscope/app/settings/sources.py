"""Where settings come from: agent document < YAML file < environment < flags."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from swarmscope.app.settings.agent_config import AgentDocument, from_foreign_variables, to_settings_layer
from swarmscope.app.settings.problems import Layer, Problem, SettingsError, explain, shorten
from swarmscope.app.settings.root import ENV_NESTING, ENV_PREFIX, Settings

# Read by the client commands, not by the server; a shell that has it set must still be able to start one.
_CLIENT_VARIABLES = frozenset({"SWARMSCOPE_URL", "SWARMSCOPE_TOKEN"})


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key which stands twice, where PyYAML would take the last in silence."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str) and key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        if isinstance(key, str):
            seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError([Problem(str(path), "", "file", f"cannot be read: {reason}")]) from None


def read_yaml_layer(path: Path) -> Layer:
    """The settings in a YAML file; an empty file sets nothing. Raises SettingsError."""
    text = _read_text(path)
    try:
        document = yaml.load(text, _StrictLoader)  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError as error:
        raise SettingsError([Problem(str(path), "", "file", f"not valid YAML: {error}")]) from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise SettingsError([Problem(str(path), "", "file", "must hold keys and values at its outermost level")])
    return Layer(f"file {path}", document)


def read_agent_layer(path: Path) -> Layer:
    """The settings in an `agent_config` document. Raises SettingsError with paths in that document."""
    text = _read_text(path)
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SettingsError([Problem(str(path), "", "file", f"not valid JSON: {error}")]) from None
    source = f"file {path}"
    if not isinstance(raw, dict):
        raise SettingsError([Problem(str(path), "", "file", "must be an object with the key agent_config")])
    try:
        document = AgentDocument.model_validate(raw)
    except ValidationError as error:
        raise explain(AgentDocument, error, [Layer(source, raw)]) from None
    return Layer(source, to_settings_layer(document))


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    problems = []
    for variable in sorted(environ):
        if not variable.upper().startswith(ENV_PREFIX) or variable.upper() in _CLIENT_VARIABLES:
            continue
        first = variable[len(ENV_PREFIX) :].lower().split(ENV_NESTING)[0]
        if first not in Settings.model_fields:
            close = difflib.get_close_matches(first, Settings.model_fields, n=1)
            guess = f"did you mean {ENV_PREFIX}{close[0].upper()}? " if close else ""
            known = ", ".join(sorted(Settings.model_fields))
            words = f"unknown setting; {guess}allowed: {known}"
            problems.append(Problem(variable, shorten(environ[variable]), "environment", words))
    if problems:
        raise SettingsError(problems)


class _MappingEnvSource(EnvSettingsSource):
    """pydantic-settings' reading of variables, from a given mapping instead of the process' own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """JSON where it is JSON; other text goes on as it is, so that the check of the whole names the key."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def read_environment_layer(environ: Mapping[str, str]) -> Layer:
    """The settings in `SWARMSCOPE_…` variables (lists and mappings as JSON). Raises SettingsError."""
    _refuse_unknown_variables(environ)
    return Layer("environment", dict(_MappingEnvSource(environ)()))


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`, mapping by mapping; lists are replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def load_settings(
    flags: dict[str, Any] | None = None,
    *,
    file: Path | None = None,
    agent_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read every source and check the whole. Raises SettingsError that names each bad key."""
    environ = os.environ if environ is None else environ
    layers = [
        *([read_agent_layer(agent_file)] if agent_file else []),
        *([read_yaml_layer(file)] if file else []),
        Layer("environment", from_foreign_variables(environ)),
        read_environment_layer(environ),
        Layer("flag", flags or {}),
    ]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.values)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise explain(Settings, error, layers) from None

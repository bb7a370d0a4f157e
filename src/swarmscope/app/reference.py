"""Writes the pages of the documentation that list what the code declares: settings and the program's own metrics.

`python -m swarmscope.app.reference` rewrites them in `docs/`; a test fails when they are behind.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from swarmscope.app.settings import Settings
from swarmscope.app.settings.agent_config import FOREIGN_VARIABLES, translated_paths
from swarmscope.app.settings.fields import FOREVER
from swarmscope.app.settings.problems import model_in, spell_path
from swarmscope.instrument import metrics

_SETTINGS_HEAD = """# Settings

Sources, in rising priority: the `agent_config` document (`--agent-config FILE`), the settings file (`--config FILE`,
YAML), environment variables, flags of `swarmscope up`. Every key below can be set in the file and in the environment:
`limits.max_label_names` is `SWARMSCOPE_LIMITS__MAX_LABEL_NAMES`; lists and mappings are written as JSON there. What
comes later in the order wins key by key; lists are replaced as a whole.

An unknown key or a bad value stops the start (exit code 2) and is told with its path, its value, where it came from and
what is allowed. `swarmscope config check FILE` checks a file without starting anything.

Durations are written as in Prometheus (`500ms`, `30s`, `1h30m`, `90d`), sizes as bytes or with a unit (`32MiB`).
"""
SECTIONS_WITHOUT_EFFECT = frozenset({"agent", "anomalies", "peers"})
SETTINGS_WITHOUT_EFFECT: frozenset[tuple[str, ...]] = frozenset()
_METRICS_HEAD = """# The program's own metrics

Served at `/metrics` on the main port, in the text format 0.0.4 or as OpenMetrics. `swarmscope_…` are declared in
`src/swarmscope/instrument/metrics.py`; `process_…` are the usual ones of a process, `process_resident_memory_bytes`
among them.

| metric | type | labels | what it says |
|---|---|---|---|
"""
# How a key of settings that stand many times is written: by their name, or by their position.
_KEY_OF_ENTRY: dict[Any, str] = {dict: "NAME", list: "N"}


def _leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo, Any]]:
    """Every key below `model` with its field and default, sections opened."""
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        inner = model_in(field.annotation)
        if inner is not None and get_origin(field.annotation) not in _KEY_OF_ENTRY:
            yield from _leaves(inner, key)
            continue
        yield key, field, field.get_default(call_default_factory=True)
        if inner is not None:
            yield from _leaves(inner, (*key, _KEY_OF_ENTRY[get_origin(field.annotation)]))


def _spell_default(path: tuple[str, ...], default: Any) -> str:
    if default is None:
        return "not set"
    if default is PydanticUndefined:
        return "needed"
    if default == FOREVER and path[0] == "retention":
        return "`infinite`"
    if isinstance(default, ByteSize):
        return f"`{default.human_readable().replace('.0', '')}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, enum.Enum):
        return f"`{default.value}`"
    if isinstance(default, (list, dict)):
        return "empty" if not default else f"`{default}`"
    return f"`{default}`"


def _choices(annotation: Any) -> list[str]:
    """The values that a field allows, where they can be listed."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for inner in get_args(annotation) for choice in _choices(inner)]
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(value.value) for value in annotation]
    return []


def is_without_effect(path: tuple[str, ...]) -> bool:
    """Whether nothing reads a setting yet: deployments carry it already, so it is accepted and checked."""
    return path[0] in SECTIONS_WITHOUT_EFFECT or path in SETTINGS_WITHOUT_EFFECT


def settings_page() -> str:
    """`docs/settings.md`."""
    lines = [_SETTINGS_HEAD]
    section = None
    for path, field, default in _leaves(Settings):
        heading = path[0] if len(path) > 1 else ""
        if heading != section:
            section = heading
            lines.append(f"\n## {section or 'General'}\n\n| key | default | meaning |\n|---|---|---|")
        choices = _choices(field.annotation)
        allowed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        effect = " No effect yet." if is_without_effect(path) else ""
        meaning = f"{field.description}{allowed}{effect}"
        lines.append(f"| `{spell_path(path)}` | {_spell_default(path, default)} | {meaning} |")
    lines.append(
        "\n## What existing deployments carry\n\nAn `agent_config` document is accepted as it stands:\n\n"
        "| key in the document | setting |\n|---|---|"
    )
    lines += [f"| `{spell_path(source)}` | `{spell_path(target)}` |" for source, target in translated_paths()]
    lines.append("\nSo are these variables; an empty one sets nothing:\n\n| variable | setting |\n|---|---|")
    lines += [f"| `{variable}` | `{spell_path(path)}` |" for variable, path in FOREIGN_VARIABLES.items()]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """`docs/metrics.md`."""
    rows = []
    for metric in vars(metrics).values():
        if isinstance(metric, (Counter, Gauge, Histogram)):
            (family,) = metric.describe()
            name = f"{family.name}_total" if isinstance(metric, Counter) else family.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "none"
            rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return _METRICS_HEAD + "\n".join(rows) + "\n"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}


def main() -> None:
    """Rewrite the pages in `docs/` of the working folder."""
    for name, to_page in PAGES.items():
        Path("docs", name).write_text(to_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

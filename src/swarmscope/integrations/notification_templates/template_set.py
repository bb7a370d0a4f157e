"""Templates from files, and texts of the configuration filled in with them."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from swarmscope.integrations.notification_templates.html_escaping import escape_html
from swarmscope.integrations.notification_templates.template_functions import FUNCTION_NAMES, template_functions
from swarmscope.lang.templates import Record, Template, parse_template, run_template
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.lang.templates.nodes import Node, Text
from swarmscope.model.errors import QuerySyntaxError, SwarmscopeError

_KNOWN = frozenset({*BUILTINS, *FUNCTION_NAMES})
_DEFAULTS = ("default.tmpl", "email.tmpl")
MAX_TEMPLATE_BYTES = 1 << 20  # of one file


class BadTemplateError(SwarmscopeError):
    """A template file cannot be read or parsed; the message names it."""


class TemplateSet:
    """Named templates, and the means to fill in texts that call them. Immutable, so thread-safe."""

    def __init__(self, definitions: Mapping[str, tuple[Node, ...]]) -> None:
        self._definitions = dict(definitions)

    def text(self, text: str, data: Record, now_ns: int) -> str:
        """A text of the configuration for one notification. Raises QuerySyntaxError and TemplateFailedError."""
        return self._run(text, data, now_ns, is_html=False)

    def html(self, text: str, data: Record, now_ns: int) -> str:
        """As `text`, with what actions print escaped."""
        return self._run(text, data, now_ns, is_html=True)

    def check(self, text: str) -> None:
        """Raise QuerySyntaxError where a text is no template."""
        if "{{" in text:
            _parsed(text)

    def _run(self, text: str, data: Record, now_ns: int, is_html: bool) -> str:
        if "{{" not in text:
            return text
        template = _parsed(text)
        whole = Template(template.nodes, tuple({**self._definitions, **dict(template.definitions)}.items()))
        return run_template(
            whole, data, template_functions(now_ns), missing="", escape=escape_html if is_html else None
        )


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Template:
    return parse_template(text, _KNOWN)


@lru_cache(maxsize=1)
def default_templates() -> TemplateSet:
    """The templates that are always there."""
    return TemplateSet(_default_definitions())


def load_templates(patterns: Sequence[str], folder: str | Path = ".") -> TemplateSet:
    """The default templates and those of files; what a later one defines again is the one that counts.

    `patterns` are paths, `*` and `?` in them allowed, relative to `folder`. Raises BadTemplateError.
    """
    definitions = _default_definitions()
    for pattern in patterns:
        for path in sorted(glob.glob(str(Path(folder) / pattern))):
            definitions.update(_file_definitions(Path(path)))
    return TemplateSet(definitions)


def _default_definitions() -> dict[str, tuple[Node, ...]]:
    definitions: dict[str, tuple[Node, ...]] = {}
    for name in _DEFAULTS:
        text = resources.files(__package__).joinpath("defaults", name).read_text(encoding="utf-8")
        definitions.update(dict(parse_template(text, _KNOWN).definitions))
    return definitions


def _file_definitions(path: Path) -> dict[str, tuple[Node, ...]]:
    try:
        if path.stat().st_size > MAX_TEMPLATE_BYTES:
            raise BadTemplateError(f"{path}: longer than {MAX_TEMPLATE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        template = parse_template(text, _KNOWN)
    except (OSError, UnicodeDecodeError) as error:
        raise BadTemplateError(f"{path}: {error}") from None
    except QuerySyntaxError as error:
        line = text.count("\n", 0, error.position or 0) + 1
        raise BadTemplateError(f"{path}:{line}: {error}") from None
    found = dict(template.definitions)
    if not _is_blank(template.nodes):
        found.setdefault(path.name, template.nodes)  # Go names a file's own text by the file
    # An empty definition does not take the place of another one.
    return {name: nodes for name, nodes in found.items() if not _is_blank(nodes)}


def _is_blank(nodes: tuple[Node, ...]) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in nodes)

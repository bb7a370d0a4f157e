"""YAML with the place of every value, so that what is wrong in a file is told with its line and column.

Scalars stay text as they are written; null is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from swarmscope.model.errors import SwarmscopeError

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
_NULL = "tag:yaml.org,2002:null"
_MAX_DEPTH = 64
# Each value takes a character at least, so only aliases can mean more values than that.
_FREE_NODES = 10_000


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing that is wrong. Lines and columns count from 1; 0 where none is known."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class BadFileError(SwarmscopeError):
    """A file cannot be used; `problems` says why, and the text is all of them, a line each."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class PlacedYaml:
    """What a file says, and where."""

    file: str
    value: Any
    places: dict[Path, tuple[int, int]]  # of values, and of keys (the path's last element) that have none of their own

    def problem(self, path: Path, message: str) -> FileProblem:
        """What is wrong with the value at `path`, or with the nearest one around it that is in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return FileProblem(self.file, *self.places.get(path, (0, 0)), message)


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases that grow: a document's size bounds what it makes."""


class StrictModel(BaseModel):
    """A part of a file. Keys that it does not know are refused; a known one without a value is as if left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in given.items() if value is not None or key not in known}


def read_yaml(text: str, file: str) -> PlacedYaml:
    """Read one document. Raises BadFileError: bad YAML, a key that stands twice, too much of it."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        places: dict[Path, tuple[int, int]] = {}
        value = _Reader(file, loader, places, len(text) + _FREE_NODES).value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise BadFileError([FileProblem(file, line, column, f"bad YAML: {said}")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadFileError([FileProblem(file, 0, 0, f"bad YAML: {error}")]) from error
    finally:
        loader.dispose()
    return PlacedYaml(file, value, places)


class _Reader:
    """Turns nodes into plain values."""

    def __init__(self, file: str, loader: _Loader, places: dict[Path, tuple[int, int]], max_nodes: int) -> None:
        self._file, self._loader, self._places, self._max_nodes = file, loader, places, max_nodes

    def value(self, node: yaml.Node, path: Path) -> Any:
        place = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._places[path] = place
        if len(path) > _MAX_DEPTH or len(self._places) > self._max_nodes:
            # An alias stands for all of its anchor, so a short text may mean more than fits into memory.
            raise BadFileError([FileProblem(self._file, *place, "nested too deeply, or too many values")])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        # As written: the label value 1.10 stays 1.10, as in Go.
        return None if node.tag == _NULL else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._loader.flatten_mapping(node)
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                raise BadFileError([FileProblem(self._file, *place, "a key must be text")])
            key = key_node.value
            if key in made:
                raise BadFileError([FileProblem(self._file, *place, f"key {key!r} stands twice")])
            made[key] = self.value(value_node, (*path, key))
            if made[key] is None:
                self._places[*path, key] = place
        return made


def checked(model: type[Model], placed: PlacedYaml, told: Callable[[Path], str] = lambda path: "") -> Model:
    """The document as a model. Raises BadFileError with every problem; `told` names what a path is in."""
    try:
        return model.model_validate(placed.value if placed.value is not None else {})
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False, include_context=False):
            path = tuple(part for part in each["loc"] if not _is_internal(part))
            problems.append(placed.problem(path, told(path) + _words(each["type"], each["msg"], path)))
        raise BadFileError(problems) from error


def _is_internal(part: str | int) -> bool:
    return isinstance(part, str) and (part.startswith("function-") or part.endswith("]"))


def _words(kind: str, message: str, path: Path) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind == "extra_forbidden":
        return f"field {key} is not known"
    if kind == "missing":
        return f"field {key} is missing"
    message = message.removeprefix("Value error, ")
    # What is wrong with an element of a list as a whole needs no name.
    return f"{key}: {message}" if key and isinstance(path[-1], str) else message

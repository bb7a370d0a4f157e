"""Traces: what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, field_validator

from swarmscope.app.durations import parse_duration
from swarmscope.app.settings.fields import Count, FilePath, Pattern, PositiveLength, Section

PolicyName = Annotated[str, StringConstraints(min_length=1)]


class AttributeTestSettings(Section):
    """A test of one attribute; all that is given must hold, nothing given: it is there."""

    name: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The attribute, of the span or else of its resource."
    )
    equals: str | bool | int | float | None = Field(default=None, description="The value.")
    pattern: Pattern | None = Field(default=None, description="An expression (RE2) that the whole text matches.")
    least: float | None = Field(default=None, description="The smallest number.")
    most: float | None = Field(default=None, description="The largest number.")


class PolicySettings(Section):
    """A rule for traces that are kept whole; all that is given must hold for one and the same span."""

    name: PolicyName = Field(description="What the rule is called.")
    services: list[str] = Field(default_factory=list, description="Names of services.")
    operation: Pattern | None = Field(default=None, description="An expression (RE2) that the whole span name matches.")
    min_duration: PositiveLength | None = Field(default=None, description="Spans that take as long or longer.")
    min_cost: float | None = Field(default=None, description="Spans that cost as much or more.")
    only_errors: bool = Field(default=False, description="Spans whose status is error.")
    attributes: list[AttributeTestSettings] = Field(default_factory=list, description="Tests of attributes.")


class TraceSettings(Section):
    """Traces."""

    sampling_rate: float = Field(
        default=1.0, ge=0, le=1, description="Share of ordinary traces that is kept above `sampling_threshold`."
    )
    sampling_threshold: float = Field(
        default=100.0, ge=0, description="New traces of one service in a second; up to so many, all are kept."
    )
    sampling_wait: PositiveLength = Field(
        default=parse_duration("10s"),
        description="How long spans wait for the rest of their trace until it is decided.",
    )
    keep_errors: bool = Field(default=True, description="Keep traces with an error whole.")
    keep_slowest: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the slowest spans of each operation whose traces are kept whole.",
    )
    policies: list[PolicySettings] = Field(default_factory=list, description="Rules for traces that are kept whole.")
    policies_file: FilePath | None = Field(default=None, description="The same in a YAML file: a list of rules.")
    max_traces: Count = Field(default=500_000, description="Traces whose decision is remembered.")

    @field_validator("policies_file")
    @classmethod
    def _check_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_policies(path)
        return path

    def all_policies(self) -> list[PolicySettings]:
        """Those of the settings and those of the file."""
        return [*self.policies, *([] if self.policies_file is None else read_policies(self.policies_file))]


def read_policies(path: Path) -> list[PolicySettings]:
    """The rules in a file. Raises ValueError, which says what is wrong and where."""
    try:
        document: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    return TypeAdapter(list[PolicySettings]).validate_python(document if document is not None else [])

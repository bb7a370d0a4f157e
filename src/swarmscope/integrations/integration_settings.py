"""How the settings of an integration are read and checked, and where its secrets come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)

from swarmscope.integrations.notification_templates.template_set import TemplateSet, default_templates
from swarmscope.model.alerts import FailureKind, IntegrationConfig, NotifyFailedError
from swarmscope.model.durations import parse_duration_ms
from swarmscope.model.errors import QuerySyntaxError, SwarmscopeError

_SECRET_SOURCES = ("", "_file", "_env")


class BadSettingsError(SwarmscopeError):
    """Settings of an integration are wrong; the message says where and which, and holds none of their values."""


def _duration_ms(value: object) -> object:
    if isinstance(value, str):
        return parse_duration_ms(value)
    raise ValueError("a duration such as 10s is wanted")


# Milliseconds, written as Prometheus writes durations.
DurationMs = Annotated[int, BeforeValidator(_duration_ms), PlainSerializer(lambda value: f"{value}ms")]


def _template(value: object) -> object:
    if isinstance(value, str):
        try:
            default_templates().check(value)
        except QuerySyntaxError as error:
            raise ValueError(f"not a template: {error}") from None
    return value


# A text that is filled in with the notification's data.
TemplateText = Annotated[str, BeforeValidator(_template)]


class Settings(BaseModel):
    """Settings of which every field is known; a secret may also stand in a file (`…_file`) or variable (`…_env`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)

    @model_validator(mode="after")
    def _one_source(self) -> Settings:
        for name in type(self).model_fields:
            given = [name + end for end in _SECRET_SOURCES if getattr(self, name + end, None)]
            if f"{name}_file" in type(self).model_fields and len(given) > 1:
                raise ValueError(f"at most one of {' & '.join(given)} must be configured")
        return self

    def has_secret(self, name: str) -> bool:
        """Whether the secret is given in any of the three ways."""
        return any(getattr(self, name + end, None) for end in _SECRET_SOURCES)


AnySettings = TypeVar("AnySettings", bound=Settings)


class Surroundings:
    """What a notifier needs beside its settings: templates, the environment, the folder of file names."""

    def __init__(
        self,
        templates: TemplateSet | None = None,
        folder: str | Path = ".",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.templates = templates or default_templates()
        self.folder = Path(folder)
        self.environment: Mapping[str, str] = os.environ if environment is None else environment

    def path(self, name: str) -> Path:
        """A file's path; relative names are relative to the configuration's folder."""
        return self.folder / name

    def secret(self, settings: Settings, name: str) -> str:
        """A secret as it is now, "" where none is set. It is read every time: files are replaced while we run.

        Raises NotifyFailedError, which says where it should have been and nothing of it.
        """
        given = getattr(settings, name, None)
        if given:
            return given.get_secret_value() if isinstance(given, SecretStr) else str(given)
        file, variable = getattr(settings, f"{name}_file", None), getattr(settings, f"{name}_env", None)
        if file:
            return self.read_file(file, name)
        if not variable:
            return ""
        found = self.environment.get(variable, "").strip()
        if not found:
            raise NotifyFailedError(
                f"{name}: there is no environment variable {variable}", retryable=False, kind=FailureKind.AUTH
            )
        return found

    def read_file(self, file: str, name: str) -> str:
        """The text of a file that holds a secret. Raises NotifyFailedError."""
        try:
            return self.path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NotifyFailedError(
                f"{name}: {file} cannot be read: {type(error).__name__}", retryable=True, kind=FailureKind.AUTH
            ) from None


def read_settings(config: IntegrationConfig, kind: type[AnySettings]) -> AnySettings:
    """The settings, checked. Raises BadSettingsError naming the place and each wrong field."""
    given: dict[str, Any] = {name: value for name, value in config.settings.items() if name != "send_resolved"}
    try:
        return kind.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(_problem(found["loc"], found["type"], found["msg"]) for found in error.errors())
    raise BadSettingsError(f"{config.place}: {config.kind}_configs[{config.index}]: {problems}") from None


def _problem(place: tuple[int | str, ...], kind: str, message: str) -> str:
    where = ".".join(map(str, place))
    if kind == "extra_forbidden":
        return f"field {where} not found"
    told = message.removeprefix("Value error, ")
    return f"{where}: {told}" if where else told

"""What may stand in a runbook's front matter. Unknown fields are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from swarmscope.lang.matchers import parse_matchers
from swarmscope.lang.promql import parse_promql
from swarmscope.lang.templates import parse_template
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.model.durations import parse_duration_ms
from swarmscope.model.errors import SwarmscopeError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class ActionKind(StrEnum):
    """What an action does."""

    HTTP = "http"
    COMMAND = "command"
    SIGNAL = "signal"
    SILENCE = "silence"


def _to_ms(value: Any) -> Any:
    return parse_duration_ms(value) if isinstance(value, str) else value


def _to_bool(value: Any) -> Any:
    """YAML's words; what stands in a file comes as text."""
    if not isinstance(value, str):
        return value
    known = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError(f"{value!r} is neither true nor false")
    return known[value.lower()]


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: letters, digits, '_', '-' and '.'")
    return value


def _read(value: str, read: Callable[[str], object]) -> str:
    try:
        read(value)
    except SwarmscopeError as error:
        raise ValueError(str(error)) from None
    return value


def _template(value: str) -> str:
    return _read(value, lambda text: parse_template(text, BUILTINS))


def _matcher(value: str) -> str:
    return _read(value, parse_matchers)


def _query(value: str) -> str:
    # Whether it is PromQL is known once the templates in it are filled in.
    return _template(value) if "{{" in value else _read(value, parse_promql)


def _url(value: str) -> str:
    origin, _, _ = value.partition("://")[2].partition("/")
    parts = urlsplit(value if "{{" not in value else value.partition("{{")[0])
    if parts.scheme not in ("http", "https") or not origin:
        raise ValueError(f"{value!r} is no http or https URL")
    # What an alert says must not choose whom we talk to.
    if "{{" in origin:
        raise ValueError("the host of a URL must stand there as it is, without a template")
    if "@" in origin:
        raise ValueError("a URL must not hold a password; use 'authorization'")
    return _template(value)


Milliseconds = Annotated[int, BeforeValidator(_to_ms), Field(gt=0)]
Flag = Annotated[bool, BeforeValidator(_to_bool)]
Name = Annotated[str, AfterValidator(_name)]
TemplateText = Annotated[str, AfterValidator(_template)]
MatcherText = Annotated[str, AfterValidator(_matcher)]
Url = Annotated[str, AfterValidator(_url)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Strict):
    """Where a secret is; it never stands in a runbook itself."""

    file: str = ""
    env: str = ""

    @model_validator(mode="after")
    def _one(self) -> Secret:
        if bool(self.file) == bool(self.env):
            raise ValueError("a secret is in a 'file' or in an 'env', one of both")
        return self


class Preconditions(_Strict):
    """All of it has to hold at the moment at which the action would run."""

    matchers: list[MatcherText] = []  # on the alert's labels
    query: Annotated[str, AfterValidator(_query)] = (
        ""  # PromQL: a vector holds something, as with alerts; a scalar is not 0
    )


class RateLimit(_Strict):
    """At most so many runs within a time, for each value of the labels `by` (none: all runs together)."""

    runs: int = Field(default=1, ge=1)
    per: Milliseconds = 600_000
    by: list[str] = []


class ActionModel(_Strict):
    """What all actions have, and the fields of each kind."""

    name: Name
    kind: ActionKind
    on: Literal["firing", "resolved"] = "firing"
    when: Preconditions = Preconditions()
    rate_limit: RateLimit = RateLimit()
    dry_run: Flag = True
    approval: Literal["none", "required"] = "none"
    approval_timeout: Milliseconds = 3_600_000
    timeout: Milliseconds = 10_000
    # http and signal
    url: Url = ""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, TemplateText] = {}
    body: TemplateText = ""
    authorization: Secret | None = None  # the whole value of the header
    secret: Secret | None = None  # of the signature
    # command
    command: list[TemplateText] = []
    memory_bytes: int = Field(default=256 * 1024 * 1024, ge=16 * 1024 * 1024)
    # signal
    signal: Literal["pause", "resume", "restart", ""] = ""
    agent: TemplateText = ""
    # silence
    matchers: list[TemplateText] = []
    duration: Milliseconds = 3_600_000

    @model_validator(mode="after")
    def _fits(self) -> ActionModel:
        needs: dict[ActionKind, tuple[str, ...]] = {
            ActionKind.HTTP: ("url",),
            ActionKind.COMMAND: ("command",),
            ActionKind.SIGNAL: ("url", "signal", "agent", "secret"),
            ActionKind.SILENCE: ("matchers",),
        }
        for field in needs[self.kind]:
            if not getattr(self, field):
                raise ValueError(f"an action of kind {self.kind} needs {field!r}")
        only = {"command": ActionKind.COMMAND, "signal": ActionKind.SIGNAL, "agent": ActionKind.SIGNAL,
                "matchers": ActionKind.SILENCE}  # fmt: skip
        for field, kind in only.items():
            if getattr(self, field) and self.kind is not kind:
                raise ValueError(f"{field!r} goes with actions of kind {kind} alone")
        if self.command and "{{" in self.command[0]:
            raise ValueError("the program of a command must stand there as it is, without a template")
        for name in self.headers:
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
        return self


class RunbookModel(_Strict):
    """The front matter."""

    name: Name | Literal[""] = ""  # else that of the file
    title: str = ""
    alerts: list[MatcherText] = []  # alerts with all of these are its own, beside those that name it
    actions: list[ActionModel] = Field(default=[], max_length=32)

    @model_validator(mode="after")
    def _distinct(self) -> RunbookModel:
        names = [action.name for action in self.actions]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two actions are called {twice!r}")
        return self

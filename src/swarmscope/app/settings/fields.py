"""Types of single settings: how each is read from text, and what is said when it cannot be."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import re2  # type: ignore[import-untyped]
from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PlainSerializer

from swarmscope.app.durations import DURATION_FORMS, Duration, parse_duration

FOREVER = Duration(0)


class Section(BaseModel):
    """A part of the settings: read once, never changed, and no key that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=False)


def _read_duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if value == 0 and not isinstance(value, bool):
        return Duration(0)
    raise ValueError(f"a unit is missing: write {DURATION_FORMS}")


def _read_positive_duration(value: Any) -> Duration:
    duration = _read_duration(value)
    if duration.ms == 0:
        raise ValueError(f"must be longer than 0: write {DURATION_FORMS}")
    return duration


def _read_retention(value: Any) -> Duration:
    if value == "infinite":
        return FOREVER
    try:
        return _read_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or infinite") from None


def _read_url(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:9090")
    return str(value).rstrip("/")


def _read_path(value: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("must be a path")
    return Path(value).expanduser()


def _check_pattern(value: str) -> str:
    try:
        re2.compile(value)
    except re2.error as error:
        raise ValueError(f"must be a regular expression (RE2): {error}") from None
    return value


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _spell_retention(duration: Duration) -> str:
    return "infinite" if duration == FOREVER else str(duration)


Length = Annotated[Duration, BeforeValidator(_read_duration), PlainSerializer(str)]
PositiveLength = Annotated[Duration, BeforeValidator(_read_positive_duration), PlainSerializer(str)]
Retention = Annotated[Duration, BeforeValidator(_read_retention), PlainSerializer(_spell_retention)]
Url = Annotated[str, BeforeValidator(_read_url)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
FilePath = Annotated[Path, BeforeValidator(_read_path), PlainSerializer(str)]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
CountOrOff = Annotated[int, Field(ge=0)]
Size = Annotated[ByteSize, Field(ge=1024)]

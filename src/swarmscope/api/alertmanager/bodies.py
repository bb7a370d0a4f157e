"""Bodies of POST requests: JSON, checked against the shapes of the API's description."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from starlette.requests import ClientDisconnect, Request

from swarmscope.api.alertmanager.moments import parse_moment
from swarmscope.api.alertmanager.refusals import (
    TOO_FEW_ITEMS,
    WRONG_TYPE,
    Refusal,
    refuse_form,
    refuse_value,
    required,
)

MAX_BODY_BYTES = 32 << 20
_JSON = "application/json"
_NAMES_OF_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_URI = re.compile(r"(?:/|[a-zA-Z][a-zA-Z0-9+.-]*:)[^\x00-\x1f\x7f]*", re.ASCII | re.DOTALL)


class PostedAlert(NamedTuple):
    """An alert as it came; labels without a value are left out. Times are Unix nanoseconds, None where none came."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int | None
    ends_ns: int | None
    generator_url: str


class PostedMatcher(NamedTuple):
    """A matcher of a silence."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool


class PostedSilence(NamedTuple):
    """A silence as it came; `id` is "" for a new one."""

    id: str
    matchers: Sequence[PostedMatcher]
    starts_ns: int
    ends_ns: int
    created_by: str
    comment: str
    annotations: Mapping[str, str]


async def read_json(request: Request, name: str) -> Any:
    """The body's JSON. Raises Refusal."""
    kind = request.headers.get("content-type", "") or "application/octet-stream"
    if kind.partition(";")[0].strip().lower() != _JSON:
        raise refuse_form(f'unsupported media type "{kind}", only [{_JSON}] are allowed', 415)
    body = await _read(request)
    if not body:
        raise required(f"{name} in body")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unparsed(name, str(error)) from None


async def _read(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise refuse_form("http: request body too large", 413)
            pieces.append(piece)
    except ClientDisconnect:
        raise refuse_form("the client went away", 499) from None
    return b"".join(pieces)


def to_alerts(found: Any) -> list[PostedAlert]:
    """The alerts of a body; `null` is none of them. Raises Refusal."""
    if found is None:
        return []
    if not isinstance(found, list):
        raise _wrong("alerts", found, "array", "")
    return [_alert(each, at) for at, each in enumerate(found)]


def _alert(found: Any, at: int) -> PostedAlert:
    if found is None:
        raise required(f"{at} in body")
    if not isinstance(found, dict):
        raise _wrong("alerts", found, "object", str(at))
    read = _Reader("alerts", f"{at}.", found)
    starts_ns, ends_ns = read.moment("startsAt"), read.moment("endsAt")
    url, annotations, labels = read.text("generatorURL") or "", read.texts("annotations"), read.texts("labels")
    if labels is None:
        raise required(f"{at}.labels in body")
    if url and not _URI.fullmatch(url):
        raise refuse_value(WRONG_TYPE, f"{at}.generatorURL in body", f'must be of type uri: "{url}"')
    kept = {name: value for name, value in labels.items() if value}
    return PostedAlert(kept, annotations or {}, starts_ns, ends_ns, url)


def to_silence(found: Any) -> PostedSilence:
    """The silence of a body. Raises Refusal."""
    if not isinstance(found, dict):
        if found is None:
            raise required("silence in body")
        raise _wrong("silence", found, "object", "")
    read = _Reader("silence", "", found)
    starts_ns, ends_ns = read.moment("startsAt"), read.moment("endsAt")
    comment, created_by, made_id = read.text("comment"), read.text("createdBy"), read.text("id")
    annotations, matchers = read.texts("annotations"), _matchers(found.get("matchers"))
    if comment is None:
        raise required("comment in body")
    if created_by is None:
        raise required("createdBy in body")
    if ends_ns is None:
        raise required("endsAt in body")
    if matchers is None:
        raise required("matchers in body")
    if not matchers:
        raise refuse_value(TOO_FEW_ITEMS, "matchers in body", "should have at least 1 items")
    if starts_ns is None:
        raise required("startsAt in body")
    return PostedSilence(made_id or "", matchers, starts_ns, ends_ns, created_by, comment, annotations or {})


def _matchers(found: Any) -> list[PostedMatcher] | None:
    if found is None:
        return None
    if not isinstance(found, list):
        raise _wrong("silence", found, "array", "matchers")
    made = []
    for at, each in enumerate(found):
        if not isinstance(each, dict):
            if each is None:
                raise required(f"matchers.{at} in body")
            raise _wrong("silence", each, "object", f"matchers.{at}")
        read = _Reader("silence", f"matchers.{at}.", each)
        is_regex, is_equal = read.flag("isRegex"), read.flag("isEqual")
        name, value = read.text("name"), read.text("value")
        if is_regex is None:
            raise required(f"matchers.{at}.isRegex in body")
        if name is None:
            raise required(f"matchers.{at}.name in body")
        if value is None:
            raise required(f"matchers.{at}.value in body")
        made.append(PostedMatcher(name, value, is_regex, is_equal is not False))
    return made


class _Reader:
    """Fields of one object, by name; each is None where it is missing or null."""

    def __init__(self, body: str, place: str, found: Mapping[str, Any]) -> None:
        self._body, self._place, self._found = body, place, found

    def text(self, name: str) -> str | None:
        found = self._found.get(name)
        if found is None or isinstance(found, str):
            return found
        raise _wrong(self._body, found, "string", self._place + name)

    def flag(self, name: str) -> bool | None:
        found = self._found.get(name)
        if found is None or isinstance(found, bool):
            return found
        raise _wrong(self._body, found, "bool", self._place + name)

    def moment(self, name: str) -> int | None:
        try:
            return parse_moment(self.text(name) or "")
        except ValueError as error:
            raise _unparsed(self._body, f"{self._place}{name}: {error}") from None

    def texts(self, name: str) -> dict[str, str] | None:
        found = self._found.get(name)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise _wrong(self._body, found, "object", self._place + name)
        made = {}
        for key, value in found.items():
            if value is not None and not isinstance(value, str):
                raise _wrong(self._body, value, "string", f"{self._place}{name}.{key}")
            made[key] = value or ""  # as in Go, null is an empty text
        return made


def _wrong(body: str, found: Any, wanted: str, place: str) -> Refusal:
    given = _NAMES_OF_TYPES.get(type(found), "null")
    where = f"field {place} of type {wanted}" if place else f"a value of type {wanted}"
    return _unparsed(body, f"json: cannot unmarshal {given} into {where}")


def _unparsed(body: str, reason: str) -> Refusal:
    return refuse_form(f'parsing {body} body from "" failed, because {reason}', 400)

"""The functions that LogQL adds to Go's templates, each registered once.

https://grafana.com/docs/loki/latest/query/template_functions/
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from types import MappingProxyType
from urllib.parse import quote_plus, unquote_to_bytes

import re2  # type: ignore[import-untyped]

from swarmscope.lang.logql.quoting import read_bytes, read_go_duration_ns
from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.lang.logql.template_numbers import NUMBER_FUNCTIONS
from swarmscope.lang.logql.template_times import TIME_FUNCTIONS
from swarmscope.lang.templates.builtins import truth
from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction
from swarmscope.lang.templates.run import MAX_OUTPUT

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


def _bounded(length: int) -> None:
    if length > MAX_OUTPUT:
        raise TemplateFailedError(f"output is longer than {MAX_OUTPUT} characters")


# Space and parts of texts


def _align_left(width: int, text: str) -> str:
    _bounded(width)
    return text[: max(width, 0)].ljust(width)


def _align_right(width: int, text: str) -> str:
    _bounded(width)
    return text[max(len(text) - width, 0) :].rjust(width) if width > 0 else ""


def _indent(spaces: int, text: str) -> str:
    _bounded(len(text) + spaces * (text.count("\n") + 1))
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise TemplateFailedError("strings: negative Repeat count")
    _bounded(count * len(text))
    return text * count


def _replace(old: str, new: str, text: str) -> str:
    return _replace_some(text, old, new, -1)


def _replace_some(text: str, old: str, new: str, count: int) -> str:
    _bounded(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
    return text.replace(old, new, count)


def _substr(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[: max(end, 0)]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _trunc(count: int, text: str) -> str:
    if count < 0:
        return text[count:] if len(text) + count > 0 else text
    return text[:count]


def _title(text: str) -> str:
    out, inside = [], False
    for character in text:
        out.append(character if inside else character.title())
        inside = character.isalnum() or character == "_"
    return "".join(out)


# Codes


def _b64dec(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return "illegal base64 data"


def _b64enc(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _urldecode(text: str) -> str:
    bad = _BAD_ESCAPE.search(text)
    if bad is not None:
        raise TemplateFailedError(f'invalid URL escape "{text[bad.start() : bad.start() + 3]}"')
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _urlencode(text: str) -> str:
    return quote_plus(text, errors="surrogateescape")


def _from_json(text: str) -> object:
    try:
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return ""


# Regexes


def _compiled(regex: str) -> re2._Regexp[str]:
    try:
        return compile_regex(regex)
    except ValueError as error:
        raise TemplateFailedError(str(error)) from None


def _matches(regex: str, text: str) -> list[re2._Match[str]]:
    """Go's matches: an empty one right behind another match does not count."""
    found: list[re2._Match[str]] = []
    for match in _compiled(regex).finditer(text):
        if not (found and match.start() == match.end() == found[-1].end()):
            found.append(match)
    return found


def _count(regex: str, text: str) -> int:
    return len(_matches(regex, text))


def _replace_all(regex: str, text: str, replacement: str) -> str:
    pieces, end = [], 0
    for match in _matches(regex, text):
        pieces += [text[end : match.start()], _REFERENCE.sub(lambda name: _expanded(name, match), replacement)]  # noqa: B023
        end = match.end()
    pieces.append(text[end:])
    _bounded(sum(map(len, pieces)))
    return "".join(pieces)


def _expanded(name: re.Match[str], match: re2._Match[str]) -> str:
    if name[1]:
        return "$"
    key = name[2] or name[3]
    try:
        return match[int(key) if key.isdigit() else key] or ""
    except (IndexError, KeyError, re2.error):
        return ""


def _replace_all_literal(regex: str, text: str, replacement: str) -> str:
    return _replace_all(regex, text, replacement.replace("$", "$$"))


# Values


def _default(value: object, *given: object) -> object:
    return given[0] if given and truth(given[0]) else value


def _duration(text: str) -> float:
    try:
        return read_go_duration_ns(text) / 1e9
    except ValueError as error:
        raise TemplateFailedError(str(error)) from None


def _bytes(text: str) -> float:
    try:
        return float(read_bytes(text))
    except ValueError as error:
        raise TemplateFailedError(str(error)) from None


_TEXT = (Kind.TEXT,)
_TWO = (Kind.TEXT, Kind.TEXT)
_THREE = (Kind.TEXT, Kind.TEXT, Kind.TEXT)
_SIZED = (Kind.INTEGER, Kind.TEXT)

_TEXT_FUNCTIONS = {
    "alignLeft": TemplateFunction(_align_left, _SIZED),
    "alignRight": TemplateFunction(_align_right, _SIZED),
    "b64dec": TemplateFunction(_b64dec, _TEXT),
    "b64enc": TemplateFunction(_b64enc, _TEXT),
    "bytes": TemplateFunction(_bytes, _TEXT),
    "contains": TemplateFunction(lambda part, text: part in text, _TWO),
    "count": TemplateFunction(_count, _TWO),
    "default": TemplateFunction(_default, (Kind.ANY,), Kind.ANY),
    "duration": TemplateFunction(_duration, _TEXT),
    "duration_seconds": TemplateFunction(_duration, _TEXT),
    "fromJson": TemplateFunction(_from_json, _TEXT),
    "hasPrefix": TemplateFunction(lambda prefix, text: text.startswith(prefix), _TWO),
    "hasSuffix": TemplateFunction(lambda suffix, text: text.endswith(suffix), _TWO),
    "indent": TemplateFunction(_indent, _SIZED),
    "lower": TemplateFunction(str.lower, _TEXT),
    "nindent": TemplateFunction(lambda spaces, text: "\n" + _indent(spaces, text), _SIZED),
    "regexReplaceAll": TemplateFunction(_replace_all, _THREE),
    "regexReplaceAllLiteral": TemplateFunction(_replace_all_literal, _THREE),
    "repeat": TemplateFunction(_repeat, _SIZED),
    "replace": TemplateFunction(_replace, _THREE),
    "substr": TemplateFunction(_substr, (Kind.INTEGER, Kind.INTEGER, Kind.TEXT)),
    "title": TemplateFunction(_title, _TEXT),
    "trim": TemplateFunction(str.strip, _TEXT),
    "trimAll": TemplateFunction(lambda characters, text: text.strip(characters) if characters else text, _TWO),
    "trimPrefix": TemplateFunction(lambda prefix, text: text.removeprefix(prefix), _TWO),
    "trimSuffix": TemplateFunction(lambda suffix, text: text.removesuffix(suffix), _TWO),
    "trunc": TemplateFunction(_trunc, _SIZED),
    "upper": TemplateFunction(str.upper, _TEXT),
    "urldecode": TemplateFunction(_urldecode, _TEXT),
    "urlencode": TemplateFunction(_urlencode, _TEXT),
}
# The names of older versions, with the order of arguments of Go's strings package.
_OLD_FUNCTIONS = {
    "Replace": TemplateFunction(_replace_some, (*_THREE, Kind.INTEGER)),
    "ToLower": TemplateFunction(str.lower, _TEXT),
    "ToUpper": TemplateFunction(str.upper, _TEXT),
    "Trim": TemplateFunction(lambda text, characters: text.strip(characters) if characters else text, _TWO),
    "TrimLeft": TemplateFunction(lambda text, characters: text.lstrip(characters) if characters else text, _TWO),
    "TrimPrefix": TemplateFunction(str.removeprefix, _TWO),
    "TrimRight": TemplateFunction(lambda text, characters: text.rstrip(characters) if characters else text, _TWO),
    "TrimSpace": TemplateFunction(str.strip, _TEXT),
    "TrimSuffix": TemplateFunction(str.removesuffix, _TWO),
}

FUNCTIONS = MappingProxyType({**_TEXT_FUNCTIONS, **_OLD_FUNCTIONS, **NUMBER_FUNCTIONS, **TIME_FUNCTIONS})

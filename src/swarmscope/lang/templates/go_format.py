"""Printing as Go's fmt does it. Source: https://pkg.go.dev/fmt"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import type_name
from swarmscope.lang.templates.go_strings import quote_go
from swarmscope.lang.templates.moments import Moment

MAX_LENGTH = 1 << 22  # of a printed text; more is not printed anyway
MAX_WIDTH = 10_000  # a wider field is an attack on memory; Go stops at 1e6
_VERB = re.compile(r"%([-+# 0]*)(?:\[(\d+)\])?(\*|\d+)?(?:(\.)(?:\[(\d+)\])?(\*|\d+)?)?(?:\[(\d+)\])?(.)?", re.DOTALL)
_INTEGER_BASES = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}


def text_of(value: object) -> str:
    """A value as `%v` has it."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return text_number(value)
        case Moment():
            return str(value)
        case Mapping():
            return f"map[{' '.join(f'{key}:{text_of(value[key])}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(map(text_of, value))}]"
        case _:
            return str(value)


def sprint(values: Sequence[object]) -> str:
    """Go's Sprint: a space between two values of which neither is a string."""
    text = ""
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            text += " "
        text += text_of(value)
    return text


def sprintf(layout: str, values: Sequence[object]) -> str:
    """Go's Sprintf, its complaints (`%!d(string=hi)`) included."""
    out: list[str] = []
    state = _Arguments(values)
    end = 0
    length = 0
    for match in _VERB.finditer(layout):
        out.append(layout[end : match.start()])
        end = match.end()
        out.append(_formatted(match, state))
        length += len(out[-1])
        if length > MAX_LENGTH:
            raise TemplateFailedError(f"printf: more than {MAX_LENGTH} characters")
    out.append(layout[end:])
    if state.next < len(values) and not state.reordered:
        extra = ", ".join(f"{type_name(v)}={text_of(v)}" if v is not None else "<nil>" for v in values[state.next :])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


class _Arguments:
    def __init__(self, values: Sequence[object]) -> None:
        self.values = values
        self.next = 0
        self.reordered = False

    def jump(self, index: str | None) -> None:
        if index is not None:
            self.next, self.reordered = int(index) - 1, True

    def take(self) -> tuple[bool, object]:
        if not 0 <= self.next < len(self.values):
            return False, None
        self.next += 1
        return True, self.values[self.next - 1]


def _formatted(match: re.Match[str], state: _Arguments) -> str:
    flags, first, width_text, dot, second, precision_text, third, verb = match.groups()
    if verb is None:
        return "%!(NOVERB)"
    if verb == "%":
        return "%"
    state.jump(first)
    width = _size(width_text, state)
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    state.jump(second)
    precision = _size(precision_text, state) if precision_text else (0 if dot else None)
    if precision is not None and precision < 0:
        precision = None
    state.jump(third)
    present, value = state.take()
    if not present:
        return f"%!{verb}({'BADINDEX' if state.reordered else 'MISSING'})"
    text = _verb_text(verb, value, flags, precision)
    if width is None or len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    zeros = "0" in flags and not (number and isinstance(value, int) and precision is not None)
    if zeros and (isinstance(value, str) or (number and text[-1:].isalnum() and not text.endswith(("Inf", "NaN")))):
        sign = text[:1] if number and text[:1] in "+- " else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _size(text: str | None, state: _Arguments) -> int | None:
    if text is None:
        return None
    if text == "*":
        present, value = state.take()
        size = value if present and isinstance(value, int) else 0
    else:
        size = int(text[:9])
    if abs(size) > MAX_WIDTH:
        raise TemplateFailedError(f"printf: a field wider than {MAX_WIDTH} characters")
    return size


def _verb_text(verb: str, value: object, flags: str, precision: int | None) -> str:
    if verb == "T":
        return type_name(value)
    if verb == "v":
        return _plain(value, flags, precision)
    if isinstance(value, list | tuple) and verb in "sdqxXfeEgGt":
        return f"[{' '.join(_verb_text(verb, each, flags, precision) for each in value)}]"
    text: str | None = None
    if isinstance(value, bool):
        text = text_of(value) if verb == "t" else None
    elif isinstance(value, int):
        text = _integer(verb, value, flags, precision)
    elif isinstance(value, float):
        text = _float(verb, value, flags, precision)
    elif isinstance(value, str):
        text = _string(verb, value, flags, precision)
    elif isinstance(value, Moment) and verb in "sq":
        text = str(value) if verb == "s" else quote_go(str(value))
    if text is not None:
        return text
    return f"%!{verb}(<nil>)" if value is None else f"%!{verb}({type_name(value)}={text_of(value)})"


def _plain(value: object, flags: str, precision: int | None) -> str:
    if "#" in flags and isinstance(value, str):
        return quote_go(value)
    if isinstance(value, str):
        return value if precision is None else value[:precision]
    if isinstance(value, float):
        return _float("g", value, flags, precision) or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer("d", value, flags, precision) or ""
    return text_of(value)


def _integer(verb: str, value: int, flags: str, precision: int | None) -> str | None:
    if verb == "c":
        return chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "\ufffd"
    if verb == "q":
        character = _integer("c", value, "", None) or ""
        return "'\\''" if character == "'" else f"'{quote_go(character)[1:-1] if character != chr(34) else character}'"
    if verb == "U":
        return f"U+{value:04X}"
    if verb not in _INTEGER_BASES:
        return None
    digits = format(abs(value), _INTEGER_BASES[verb])
    if precision is not None:
        digits = digits.rjust(precision, "0") if precision or value else ""
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
    if verb == "O":
        prefix = "0o"
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    return sign + prefix + digits


def _float(verb: str, value: float, flags: str, precision: int | None) -> str | None:
    if verb not in "eEfFgG":
        return None
    if math.isnan(value) or math.isinf(value):
        text = "NaN" if math.isnan(value) else "-Inf" if value < 0 else "+Inf"
        return text if "+" in flags or text[0] != "+" else text[1:].rjust(1) if " " not in flags else " Inf"
    if verb in "gG":
        text = text_number(value) if precision is None else format(value, f"{'#' if '#' in flags else ''}.{precision}g")
        text = text.upper() if verb == "G" else text
    else:
        places = 6 if precision is None else precision
        text = format(value, f".{places}{verb}")
    if text[0] != "-" and "+" in flags:
        return "+" + text
    return " " + text if text[0] != "-" and " " in flags else text


def _string(verb: str, value: str, flags: str, precision: int | None) -> str | None:
    cut = value if precision is None else value[:precision]
    if verb == "s":
        return cut
    if verb == "q":
        return f"`{cut}`" if "#" in flags and "`" not in cut and cut.isprintable() else quote_go(cut)
    if verb in "xX":
        raw = value.encode("utf-8", "surrogateescape")[:precision]
        text = raw.hex(" ") if " " in flags else raw.hex()
        return text.upper() if verb == "X" else text
    return None

"""Request parameters as Prometheus reads them: merged query string and form, times, durations, limits."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from starlette.requests import Request

from swarmscope.api.failures import ApiError
from swarmscope.lang.promql.printer import quote
from swarmscope.model.labels import DEFAULT_TENANT

# Times outside are clamped: far beyond any sample, and sums of them with offsets and ranges stay within 64 bits.
MIN_TIME_MS = -(1 << 53)
MAX_TIME_MS = 1 << 53
_MAX_FORM_BYTES = 10 << 20  # what Go's http.Request.ParseForm reads
_MAX_INT64 = (1 << 63) - 1

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII
)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNIT_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
# What Prometheus prints for its own minimum and maximum; clients send them back.
_EXTREMES = {"-292273086-05-16T16:47:06Z": MIN_TIME_MS, "292277025-08-18T07:12:54.999999999Z": MAX_TIME_MS}


def _clamped(time_ms: float) -> int:
    return int(min(max(time_ms, MIN_TIME_MS), MAX_TIME_MS))


def _parse_float(text: str) -> float | None:
    return float(text) if _FLOAT.fullmatch(text) else None


def parse_time_ms(text: str) -> int:
    """Unix seconds (with a fraction) or RFC 3339, in milliseconds, rounded as Prometheus rounds.

    Raises ValueError with Prometheus' wording.
    """
    seconds = _parse_float(text)
    if seconds is not None and not math.isinf(seconds):
        whole = math.trunc(seconds)
        # Prometheus rounds the fraction to milliseconds, half away from zero.
        fraction_ms = math.floor(abs(seconds - whole) * 1000 + 0.5)
        return _clamped(whole * 1000 + (-fraction_ms if seconds < 0 else fraction_ms))
    if text in _EXTREMES:
        return _EXTREMES[text]
    found = _RFC3339.fullmatch(text)
    moment_ms = None if found is None else _rfc3339_ms(found)
    if moment_ms is None:
        raise ValueError(f"cannot parse {quote(text)} to a valid timestamp")
    return moment_ms


def _rfc3339_ms(found: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, _, sign, offset_hours, offset_minutes = found.groups()[6:]
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    month_days = (
        29 if month == 2 and calendar.isleap(year) else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    )
    if not 1 <= day <= month_days:
        return None
    # timegm needs a year from 1 on; year 0 is a leap year of the proleptic calendar like year 400.
    seconds = calendar.timegm((year or 400, month, day, hour, minute, second)) - (0 if year else 400 * 31_556_952)
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            return None
        shift = int(offset_hours) * 3600 + int(offset_minutes) * 60
        seconds -= shift if sign == "+" else -shift
    return seconds * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


def parse_duration_ms(text: str) -> float:
    """A duration: seconds as a number, or Prometheus' `1h30m`; in milliseconds, a float as steps may be fractions.

    Raises ValueError with Prometheus' wording.
    """
    seconds = _parse_float(text)
    if seconds is not None:
        if abs(seconds) * 1e9 > _MAX_INT64:
            raise ValueError(f"cannot parse {quote(text)} to a valid duration. It overflows int64")
        return seconds * 1000
    found = _DURATION.fullmatch(text)
    if found is None or not any(part is not None for part in found.groups()):
        raise ValueError(f"cannot parse {quote(text)} to a valid duration")
    total_ms = sum(int(part) * unit for part, unit in zip(found.groups(), _UNIT_MS, strict=True) if part)
    if total_ms * 1_000_000 > _MAX_INT64:
        raise ValueError(f"cannot parse {quote(text)} to a valid duration")
    return float(total_ms)


class Parameters:
    """Merged parameters of one request; the body's come first, as with Go's FormValue."""

    def __init__(self, values: dict[str, list[str]], tenant: str) -> None:
        self._values = values
        self.tenant = tenant

    def text(self, name: str, default: str = "") -> str:
        """The first value."""
        return self._values.get(name, [default])[0]

    def texts(self, name: str) -> Sequence[str]:
        """All values."""
        return self._values.get(name, ())

    def time_ms(self, name: str, default_ms: int | None = None) -> int:
        """A time. An optional one (with a default) is refused in the words of Prometheus' optional parameters."""
        text = self.text(name)
        if default_ms is not None and not text:
            return default_ms
        try:
            return parse_time_ms(text)
        except ValueError as error:
            detail = str(error) if default_ms is None else f"invalid time value for '{name}': {error}"
            raise ApiError("bad_data", f"invalid parameter {quote(name)}: {detail}") from None

    def duration_ms(self, name: str) -> float:
        """A duration that has to be there."""
        try:
            return parse_duration_ms(self.text(name))
        except ValueError as error:
            raise ApiError("bad_data", f"invalid parameter {quote(name)}: {error}") from None

    def limit(self) -> int:
        """`limit`, 0 for no limit."""
        text = self.text("limit")
        if not text:
            return 0
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            reason = f"strconv.Atoi: parsing {quote(text)}: invalid syntax"
            raise ApiError("bad_data", f'invalid parameter "limit": {reason}')
        if int(text) < 0:
            raise ApiError("bad_data", 'invalid parameter "limit": limit must be non-negative')
        return int(text)

    def count(self, name: str, default: int) -> int:
        """A number, refused in the words of /metadata and /targets/metadata."""
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            raise ApiError("bad_data", f"{name} must be a number")
        return int(text)


async def read_parameters(request: Request) -> Parameters:
    """Query string and form body merged. A form without its content type is read too; anything else is ignored."""
    values: dict[str, list[str]] = {}
    if request.method == "POST":
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await _read_form(request)
        if declared in ("", "application/x-www-form-urlencoded", "application/octet-stream", "text/plain"):
            values = _parse_form(body, strict=declared == "application/x-www-form-urlencoded")
    for name, more in _parse_form(request.url.query.encode(), strict=False).items():
        values.setdefault(name, []).extend(more)
    return Parameters(values, request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT)


def _parse_form(body: bytes, *, strict: bool) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10_000, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        if strict:
            raise ApiError("bad_data", f"error parsing form values: {error}") from None
        return {}


async def _read_form(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > _MAX_FORM_BYTES:
            raise ApiError("bad_data", "error parsing form values: http: POST too large")
        pieces.append(piece)
    return b"".join(pieces)

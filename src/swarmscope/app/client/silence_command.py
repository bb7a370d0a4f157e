"""`swarmscope silence`: keep alerts from being told of for a while."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.alert_peer import AlertPeer
from swarmscope.app.client.fleet_peer import write_json
from swarmscope.app.client.fleet_tables import Column, counted, fleet_table, named, plain, print_lines, time_ns_of
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.durations import Duration, parse_duration, parse_time_ms
from swarmscope.lang.matchers.matcher_text import to_text
from swarmscope.lang.matchers.parse import read_matcher
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

_NS_PER_MS, _MS_PER_S = 1_000_000, 1000
_STATE_STYLES = {"active": "green", "pending": "yellow", "expired": "dim"}
_ID_LENGTH = 8
_ROOMY = 100


@dataclass(frozen=True, slots=True)
class SilenceRequest:
    """A silence as typed."""

    matchers: Sequence[str]
    duration: str
    start: str | None
    comment: str
    author: str | None


def run_silence_add(peer: AlertPeer, wanted: SilenceRequest) -> int:
    """Add it and print its id; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        start_ms, end_ms = _times(wanted, time.time_ns() // _NS_PER_MS)
        matchers = [_matcher(text) for text in wanted.matchers]
        silence_id = peer.add_silence(
            {
                "matchers": [_to_json(matcher) for matcher in matchers],
                "startsAt": _rfc3339(start_ms),
                "endsAt": _rfc3339(end_ms),
                "createdBy": wanted.author or _user(),
                "comment": wanted.comment,
            }
        )
        Terminal().print(Text(silence_id), soft_wrap=True, highlight=False)
        spelt = ", ".join(map(to_text, matchers))
        messages.print(Text(f"silenced {spelt} until {_rfc3339(end_ms)}", style="dim"))

    return exit_code_of(work, "")


def run_silence_list(peer: AlertPeer, matchers: Sequence[str], *, with_expired: bool, is_json: bool) -> int:
    """Fetch and print; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        found = peer.silences([("filter", text) for text in matchers])
        kept = [silence for silence in found if with_expired or _state(silence) != "expired"]
        if is_json:
            write_json({"silences": kept})
        else:
            print_silences(kept, len(found) - len(kept), Terminal(), time.time_ns())

    return exit_code_of(work, "")


def run_silence_expire(peer: AlertPeer, ids: Sequence[str]) -> int:
    """End them; an id may be its beginning, as the list shows it. The exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        whole = [_whole_id(peer, one) for one in ids]
        for silence_id in whole:
            peer.expire_silence(silence_id)
            Terminal().print(Text(f"expired {silence_id}"), soft_wrap=True, highlight=False)

    return exit_code_of(work, "")


def print_silences(silences: Sequence[Mapping[str, Any]], n_hidden: int, console: Console, now_ns: int) -> None:
    """A line for each silence, as the server ordered them."""
    more = f" ({counted(n_hidden, 'silence')} over: --expired shows them)" if n_hidden else ""
    if not silences:
        console.print(Text(f"no silences{more}", style="dim"), soft_wrap=True, highlight=False)
        return
    is_roomy = console.width >= _ROOMY
    columns = [
        Column("id", is_whole=True),
        Column("state", is_whole=True),
        Column("matchers"),
        Column("by"),
        *([Column("comment")] if is_roomy else []),
        Column("ends", is_number=True),
    ]
    rows = [_row(silence, now_ns, is_roomy=is_roomy) for silence in silences]
    print_lines(console, fleet_table(columns, rows, console.width))
    if more:
        console.print(Text(more.strip(" ()"), style="dim"), soft_wrap=True, highlight=False)


def _row(silence: Mapping[str, Any], now_ns: int, *, is_roomy: bool) -> list[Text]:
    state = _state(silence)
    return [
        Text(plain(silence.get("id")) if is_roomy else plain(silence.get("id"))[:_ID_LENGTH]),
        Text(state, style=_STATE_STYLES.get(state, "")),
        named(", ".join(to_text(_from_json(matcher)) for matcher in silence.get("matchers") or [])),
        named(silence.get("createdBy")),
        *([named(" ".join(str(silence.get("comment", "")).split()))] if is_roomy else []),
        Text(_spell_end(silence.get("endsAt"), now_ns)),
    ]


def _spell_end(words: object, now_ns: int) -> str:
    """`in 2h`, `5m ago`: the two largest units."""
    end_ns = time_ns_of(words)
    if end_ns is None:
        return "-"
    seconds = abs(end_ns - now_ns) // (_NS_PER_MS * _MS_PER_S)
    size_s = 86_400 if seconds >= 10 * 86_400 else 3600 if seconds >= 86_400 else 60 if seconds >= 3600 else 1
    length = str(Duration(seconds // size_s * size_s * _MS_PER_S))
    return f"in {length}" if end_ns > now_ns else f"{length} ago"


def _whole_id(peer: AlertPeer, text: str) -> str:
    """The id that begins so. Raises QueryProblem: none or several do."""
    if len(text) > _ID_LENGTH + 1:
        return text
    found = [str(silence.get("id")) for silence in peer.silences() if str(silence.get("id")).startswith(text)]
    if len(found) != 1:
        problem = f"there is no silence {text}" if not found else f"several silences begin with {text}"
        raise QueryProblem(problem, 1 if not found else EXIT_MISUSED)
    return found[0]


def _times(wanted: SilenceRequest, now_ms: int) -> tuple[int, int]:
    try:
        start_ms = parse_time_ms(wanted.start, now_ms) if wanted.start else now_ms
        length = parse_duration(wanted.duration)
    except ValueError as error:
        raise QueryProblem(str(error), EXIT_MISUSED) from None
    if length.ms <= 0:
        raise QueryProblem("--duration must be longer than 0", EXIT_MISUSED)
    return start_ms, start_ms + length.ms


def _matcher(text: str) -> Matcher:
    """A word without an operator is an alert's name, as with amtool."""
    if not set(text) & set("=~!{}"):
        return Matcher("alertname", MatchOperator.EQUAL, text)
    try:
        return read_matcher(text)
    except QuerySyntaxError as error:
        raise QueryProblem(f"{text!r} is not a matcher such as agent=writer or team=~'a|b': {error}", 2) from None


def _to_json(matcher: Matcher) -> dict[str, object]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matcher.operator in (MatchOperator.REGEX, MatchOperator.NOT_REGEX),
        "isEqual": matcher.operator in (MatchOperator.EQUAL, MatchOperator.REGEX),
    }


def _from_json(found: Mapping[str, Any]) -> Matcher:
    is_equal = found.get("isEqual", True)
    if found.get("isRegex"):
        operator = MatchOperator.REGEX if is_equal else MatchOperator.NOT_REGEX
    else:
        operator = MatchOperator.EQUAL if is_equal else MatchOperator.NOT_EQUAL
    return Matcher(plain(found.get("name")), operator, plain(found.get("value")))


def _state(silence: Mapping[str, Any]) -> str:
    return plain((silence.get("status") or {}).get("state"))


def _rfc3339(time_ms: int) -> str:
    seconds, millis = divmod(time_ms, _MS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # nobody has this user id
        return "unknown"

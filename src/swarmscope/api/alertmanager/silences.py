"""/silences and /silence/{id}."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.alertmanager.bodies import PostedSilence, read_json, to_silence
from swarmscope.api.alertmanager.endpoint import Exchange, api_route, done
from swarmscope.api.alertmanager.filters import read_filter
from swarmscope.api.alertmanager.parts import AlertmanagerParts, KeptSilence, SilenceRefusedError, UnknownSilenceError
from swarmscope.api.alertmanager.refusals import WRONG_TYPE, Refusal, refuse, refuse_value
from swarmscope.api.alertmanager.shapes import to_matcher, to_silence_json
from swarmscope.lang.matchers import value_test
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_POSITIVE = (MatchOperator.EQUAL, MatchOperator.REGEX)
_STATES = ("active", "pending", "expired")


def silence_routes(parts: AlertmanagerParts) -> list[BaseRoute]:
    """The endpoints."""
    return [
        api_route(parts, "/silences", {"GET": _silences, "POST": _post_silence}),
        api_route(parts, "/silence/{name}", {"GET": _silence, "DELETE": _expire}),
    ]


async def _silences(exchange: Exchange) -> Response:
    wanted, creators = set(read_filter(exchange.texts("filter"))), exchange.texts("creator")
    states = {state for state in _STATES if exchange.flag(state, default=True)}

    def make() -> object:
        found = [
            silence
            for silence in exchange.house.silences()
            if wanted <= set(silence.matchers)
            and silence.state in states
            and (not creators or silence.created_by in creators)
        ]
        return [to_silence_json(silence) for silence in sorted(found, key=_turn)]

    return await exchange.answer(make)


def _turn(silence: KeptSilence) -> tuple[int, int, str]:
    """Active ones by their end, those to come by their start, those that are over the last first."""
    times = {"active": silence.ends_ns, "pending": silence.starts_ns, "expired": -silence.ends_ns}
    return _STATES.index(silence.state), times[silence.state], silence.id


async def _silence(exchange: Exchange) -> Response:
    silence_id = _id_of(exchange)

    def make() -> object:
        try:
            return to_silence_json(exchange.house.silence(silence_id))
        except UnknownSilenceError:
            raise Refusal(None, 404) from None

    return await exchange.answer(make)


async def _expire(exchange: Exchange) -> Response:
    silence_id = _id_of(exchange)
    try:
        await exchange.work(lambda: exchange.house.expire_silence(silence_id))
    except UnknownSilenceError:
        raise Refusal(None, 404) from None
    return done()


async def _post_silence(exchange: Exchange) -> Response:
    posted = to_silence(await read_json(exchange.request, "silence"))
    matchers = [
        to_matcher(each.name, each.value, is_regex=each.is_regex, is_equal=each.is_equal) for each in posted.matchers
    ]

    def make() -> object:
        now_ns = exchange.parts.clock.now_ns()
        _check(posted, matchers, now_ns)
        silence = KeptSilence(
            posted.id, matchers, posted.starts_ns, posted.ends_ns, now_ns, posted.created_by, posted.comment,
            posted.annotations, "",
        )  # fmt: skip
        try:
            return {"silenceID": exchange.house.set_silence(silence)}
        except UnknownSilenceError:
            raise refuse("silence not found", 404) from None
        except SilenceRefusedError as error:
            raise refuse(str(error)) from None

    return await exchange.answer(make)


def _check(posted: PostedSilence, matchers: Sequence[Matcher], now_ns: int) -> None:
    """Raises Refusal, in Alertmanager's words."""
    if posted.starts_ns >= posted.ends_ns:
        raise refuse("Failed to create silence: start time must be before end time")
    if posted.ends_ns < now_ns:
        raise refuse("Failed to create silence: end time can't be in the past")
    is_empty = True
    for at, matcher in enumerate(matchers):
        if not matcher.name:
            raise refuse(f'silence invalid: invalid label matcher {at}: invalid label name ""')
        try:
            # As in Alertmanager `!=` and `!~` count as conditions, though labels that are not there fulfil them.
            is_empty = value_test(matcher)("") and matcher.operator in _POSITIVE and is_empty
        except QuerySyntaxError as error:
            said = f'invalid regular expression "{matcher.value}": {error}'
            raise refuse(f"silence invalid: invalid label matcher {at}: {said}") from None
    if is_empty:
        raise refuse("silence invalid: at least one matcher must not match the empty string")


def _id_of(exchange: Exchange) -> str:
    """The id in the path, spelt as ids are. Raises Refusal."""
    text = str(exchange.request.path_params["name"])
    if not _UUID.fullmatch(text):
        raise refuse_value(WRONG_TYPE, "silenceID in path", f'must be of type uuid: "{text}"')
    return str(UUID(text))

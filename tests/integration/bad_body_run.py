"""Spoilt bodies from a seed, a hundred thousand in a soak, through receivers inside this process.

Bodies are spoilt one by one, from some hundreds of sound ones of each kind: making those costs more than decoding them.
"""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import psutil
from google.protobuf.message import DecodeError
from starlette.applications import Starlette

from tests.integration import damaged_bodies as damaged
from tests.portion import portion

_ALL_BODIES = 100_000
N_BODIES = portion(_ALL_BODIES, _ALL_BODIES // 10)
MAX_UNPACKED = 8 << 20
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_SOUND = 400  # bodies of each kind
_MAX_RSS = 3 << 29
_GROWTH = 64 << 20

Maker = Callable[[random.Random], bytes]


class SpoiltBody(NamedTuple):
    """One body, before and after."""

    sound: bytes
    body: bytes


class Bodies:
    """Sound bodies of each kind, to be spoilt."""

    def __init__(self, makers: Mapping[str, Maker], seed: int) -> None:
        self._sound = {
            kind: [make(random.Random(f"{seed} {kind} {number}")) or b"x" for number in range(_SOUND)]
            for kind, make in makers.items()
        }
        self._kinds = list(makers)

    def next(self, kind: str, chance: random.Random) -> SpoiltBody:
        """One of the kind; now and then what another protocol's sender sends."""
        if chance.random() < 0.02:
            foreign = chance.choice(self._sound[chance.choice(self._kinds)])
            return SpoiltBody(foreign, foreign)
        sound = chance.choice(self._sound[kind])
        return SpoiltBody(sound, chance.choice(damaged.DAMAGES)(sound, chance))


def run_bodies(
    shares: Mapping[str, int], seed: int, send: Callable[[str, random.Random], str]
) -> dict[str, Counter[str]]:
    """`shares` says how many of each kind, `send(kind, chance)` what came of one; how often each came, by kind.

    Fails with the body's number where `send` raises, and where threads or memory grow.
    """
    outcomes = {kind: Counter[str]() for kind in shares}
    kinds = [kind for kind, share in shares.items() for _ in range(share)]
    assert len(kinds) == _ALL_BODIES
    random.Random(seed).shuffle(kinds)
    del kinds[N_BODIES:]
    memory, threads = [], threading.active_count()
    for number, kind in enumerate(kinds):
        chance = random.Random(seed << 20 | number)
        try:
            outcomes[kind][send(kind, chance)] += 1
        except Exception as error:
            raise AssertionError(f"body {number} ({kind}): {error!r}") from error
        if number % (N_BODIES // 3) == N_BODIES // 3 - 1:
            memory.append(rss())
    assert threading.active_count() <= threads
    assert max(memory) < _MAX_RSS
    assert memory[-1] - memory[-2] < _GROWTH, memory
    return outcomes


async def run_inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """What routes hand work to: here it is done at once."""
    return function(*arguments)


def post(app: Starlette, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """One request without a socket: status and text."""
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "http_version": "1.1",
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    coroutine = app(scope, receive, send)
    try:
        coroutine.send(None)
    except StopIteration:
        pass
    else:
        raise AssertionError("the endpoint waits for something")
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def must_parse(proto: Any, body: bytes) -> None:
    """What was taken whole is a message for protobuf's own parser too, but for UTF-8 in strings that nobody looks at.

    Strings that do matter are the sink's to check.
    """
    try:
        proto.FromString(body)
    except DecodeError as error:
        if "bad UTF-8" in str(error):
            return
        raise AssertionError(f"taken, though it is not a {proto.DESCRIPTOR.full_name}: {body[:300]!r}") from None


def spoil_wire(wire: bytes, chance: random.Random) -> tuple[bytes, bool]:
    """What arrives of what was packed, and whether it is spoilt."""
    if chance.random() < 0.1:
        return chance.choice(damaged.DAMAGES[1:])(wire or b"x", chance), True
    return wire, False


def rss() -> int:
    """The bytes that this process holds."""
    gc.collect()
    return psutil.Process().memory_info().rss

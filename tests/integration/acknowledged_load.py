"""Senders over real connections that note each record before it leaves, and whether it was acknowledged.

What a killed process has not answered is sent again first of all to its successor, as every real agent does, and now
and then something that was answered is sent twice.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc

from tests.integration.processes import SwarmscopeServer

TIMEOUT_S = 30
_PAUSE_S = 0.1
_PACE_S = 0.01  # a kill wants requests under way, and a check wants to end
_TWICE = 0.1


@dataclass
class Ledger:
    """Keys of what left, and of what of it was acknowledged; thread-safe, as sets are changed whole."""

    sent: set[Any] = field(default_factory=set)
    acknowledged: set[Any] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    sent_again: int = 0

    def wait_for(self, n: int) -> None:
        """Until `n` records more are acknowledged."""
        wanted = len(self.acknowledged) + n
        deadline = time.monotonic() + 2 * TIMEOUT_S
        while len(self.acknowledged) < wanted and not self.failures:
            assert time.monotonic() < deadline, "nothing is acknowledged"
            time.sleep(0.01)
        assert not self.failures, self.failures

    def compare(self, protocol: str, found: Sequence[Any], earlier: set[Any]) -> set[Any]:
        """Fail unless `found` is what was acknowledged, and what was seen before, once; returns it as a set."""
        keys = set(found)
        assert len(keys) == len(found), f"{protocol}: {len(found) - len(keys)} of {len(keys)} are there twice"
        foreign = sorted(keys - self.sent)
        assert not foreign, f"{protocol}: nobody has sent {foreign[:5]}"
        expected = {key for key in self.acknowledged | earlier if key.protocol == protocol}
        missing = sorted(expected - keys)
        assert not missing, f"{protocol}: {len(missing)} of {len(expected)} are lost: {missing[:5]}"
        return keys


class HttpRoute(NamedTuple):
    """Where to post what `encode` makes of keys."""

    port: int
    path: str
    headers: dict[str, str]
    encode: Callable[[list[Any]], bytes]


class GrpcRoute(NamedTuple):
    """The method of OTLP to call with what `encode` makes of keys."""

    port: int
    method: str
    encode: Callable[[list[Any]], bytes]


@dataclass
class Plan:
    """The next requests of one sender, through any number of servers."""

    protocol: str
    chance: random.Random
    unanswered: list[Any] = field(default_factory=list)  # of the last request, to be sent again
    answered: list[Any] = field(default_factory=list)  # the last request that was

    def next_keys(self) -> list[Any]:
        """The records of one request."""
        raise NotImplementedError

    def route(self, server: SwarmscopeServer) -> HttpRoute | GrpcRoute:
        """Where the server takes the plan's protocol."""
        raise NotImplementedError


class _HttpSender:
    def __init__(self, route: HttpRoute) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", route.port, timeout=TIMEOUT_S)
        self._route = route

    def send(self, keys: list[Any]) -> bool:
        """Whether they are acknowledged; raises where the server is gone or the answer is none that it may give."""
        route = self._route
        self._connection.request("POST", route.path, route.encode(keys), route.headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status in (429, 503):
            time.sleep(_PAUSE_S)
            return False
        # An OTLP answer that is not empty tells of a partial success.
        assert answer.status in (200, 202, 204), f"{answer.status} {text!r}"
        assert text in (b"", b"{}"), text
        return True

    def close(self) -> None:
        self._connection.close()


class _GrpcSender:
    def __init__(self, route: GrpcRoute) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{route.port}")
        self._export, self._encode = self._channel.unary_unary(route.method), route.encode

    def send(self, keys: list[Any]) -> bool:
        """As `_HttpSender.send`."""
        try:
            answer = self._export(self._encode(keys), timeout=TIMEOUT_S, wait_for_ready=False)
        except grpc.RpcError as error:
            retryable = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
            if error.code() not in retryable:
                raise
            time.sleep(_PAUSE_S)
            return False
        assert not answer, answer
        return True

    def close(self) -> None:
        self._channel.close()


class Load:
    """One thread for each plan, until the server is gone or `stop` is called."""

    def __init__(self, server: SwarmscopeServer, plans: Iterable[Plan], ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(plan,), daemon=True) for plan in plans]
        for thread in self._threads:
            thread.start()

    def _run(self, plan: Plan) -> None:
        route = plan.route(self._server)
        sender = _GrpcSender(route) if isinstance(route, GrpcRoute) else _HttpSender(route)
        try:
            while not self._stopping.is_set():
                self._send_next(plan, sender)
                time.sleep(_PACE_S)
        except (OSError, http.client.HTTPException):
            return  # the server is gone; what was in flight is not acknowledged
        except Exception as error:
            self._ledger.failures.append(f"{plan.protocol}: {error!r}")
        finally:
            sender.close()

    def _send_next(self, plan: Plan, sender: _HttpSender | _GrpcSender) -> None:
        again = plan.unanswered or (plan.answered if plan.chance.random() < _TWICE else [])
        keys = again or plan.next_keys()
        self._ledger.sent_again += bool(again)
        plan.unanswered = keys
        self._ledger.sent.update(keys)
        if sender.send(keys):
            plan.unanswered, plan.answered = [], keys
            self._ledger.acknowledged.update(keys)

    def stop(self) -> None:
        """End all threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)
            assert not thread.is_alive()

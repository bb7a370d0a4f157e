from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from swarmscope.sdk.signals import AgentSignal, AgentSignals, SignalRefusedError, SignalServer

SECRET = "between us"


def body(signal: str = "pause", id_: str = "1", agent: str = "a", **more: Any) -> bytes:
    said = {"version": 1, "id": id_, "signal": signal, "agent": agent, "reason": "x", "incident": "", "runbook": "r"}
    return json.dumps(said | more).encode()


def headers(sent: bytes, secret: str = SECRET, at_s: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at_s is None else at_s))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + sent, hashlib.sha256).hexdigest()
    return {"X-Swarmscope-Timestamp": stamp, "X-Swarmscope-Signature": f"sha256={digest}"}


def handle(signals: AgentSignals, sent: bytes, **how: Any) -> AgentSignal:
    return signals.handle(headers(sent, **how), sent)


def test_pause_and_resume() -> None:
    said: list[str] = []
    signals = AgentSignals(
        SECRET, "a", on_pause=lambda each: said.append(each.reason), on_resume=lambda each: said.append(each.id)
    )
    assert signals.wait_while_paused(0)
    assert handle(signals, body()).runbook == "r"
    assert signals.is_paused
    assert not signals.wait_while_paused(0.01)
    handle(signals, body("resume", "2"))
    assert signals.wait_while_paused(0)
    assert said == ["x", "2"]


def test_a_signal_that_comes_again_is_not_acted_on_again() -> None:
    restarts: list[AgentSignal] = []
    signals = AgentSignals(SECRET, on_restart=restarts.append)
    sent = body("restart")
    how = headers(sent)
    assert signals.handle(how, sent) == signals.handle(how, sent)
    assert len(restarts) == 1


@pytest.mark.parametrize(
    ("sent", "how", "status", "words"),
    [
        (body(), {"secret": "another"}, 401, "signature"),
        (body(), {"at_s": 1.0}, 401, "too old"),
        (b"{", {}, 400, "no JSON"),
        (b"[]", {}, 400, "version 1"),
        (body(version=2), {}, 400, "version 1"),
        (body(reason=3), {}, 400, "text"),
        (body(id_=""), {}, 400, "'id' is not empty"),
        (body(agent="b"), {}, 404, "no agent 'b'"),
        (body("dance"), {}, 422, "'dance'"),
        (body("restart"), {}, 422, "'restart'"),
    ],
)
def test_what_is_refused(sent: bytes, how: dict[str, Any], status: int, words: str) -> None:
    signals = AgentSignals(SECRET, "a")
    with pytest.raises(SignalRefusedError, match=words) as caught:
        handle(signals, sent, **how)
    assert caught.value.status == status
    assert not signals.is_paused


def test_unsigned_requests_are_refused() -> None:
    with pytest.raises(SignalRefusedError, match="signature"):
        AgentSignals(SECRET).handle({}, body())
    with pytest.raises(ValueError, match="secret"):
        AgentSignals("")


def test_the_server() -> None:
    def failing(signal: AgentSignal) -> None:
        raise RuntimeError("no")

    signals = AgentSignals(SECRET, on_restart=failing)
    with SignalServer(signals) as server:

        def post(sent: bytes, said: dict[str, str]) -> tuple[int, str]:
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}/any", sent, said, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return answer.status, json.load(answer)["message"]
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)["message"]

        sent = body()
        assert post(sent, headers(sent)) == (200, "pause taken")
        assert signals.is_paused
        assert post(sent, {}) == (401, "the signature is not right")
        sent = body("restart", "2")
        assert post(sent, headers(sent)) == (500, "the agent did not manage")
        large = b" " * 70_000
        assert post(large, headers(large))[0] == 413

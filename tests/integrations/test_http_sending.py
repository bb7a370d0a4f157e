"""Requests: who we say we are, redirects, proxies, TLS, and receivers that behave badly."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmscope.integrations.http.answers import retry_after_s
from swarmscope.integrations.http.proxies import is_exempt
from swarmscope.model.alerts import FailureKind, NotifyFailedError
from tests.integrations.local_receivers import (
    Misbehaviour,
    Received,
    Receiver,
    Reply,
    answer_garbage,
    answer_long_headers,
    answer_much,
    certificate,
    hang,
    lie_about_length,
    misbehaving,
    receiver,
    reset,
    server_context,
    trickle,
)
from tests.integrations.sample_notifications import notification, notifier, send

SECRET = "hunter2-is-secret"


def failure(url: str, **settings: Any) -> NotifyFailedError:
    with pytest.raises(NotifyFailedError) as failed:
        send("webhook", {"url": f"{url}/{SECRET}", "timeout": "500ms", **settings})
    assert SECRET not in str(failed.value)
    return failed.value


@pytest.mark.parametrize(
    ("status", "retryable", "kind"),
    [
        (400, False, FailureKind.CLIENT),
        (401, False, FailureKind.AUTH),
        (403, False, FailureKind.AUTH),
        (404, False, FailureKind.CLIENT),
        (408, True, FailureKind.TIMEOUT),
        (429, True, FailureKind.RATE_LIMITED),
        (500, True, FailureKind.SERVER),
        (503, True, FailureKind.SERVER),
    ],
)
def test_statuses(status: int, retryable: bool, kind: FailureKind) -> None:
    body = f"you sent {SECRET}, \x07and that is wrong".encode()
    with receiver(lambda _: Reply(status, body)) as there:
        failed = failure(there.url)
    assert (failed.retryable, failed.kind) == (retryable, kind)
    assert f"{there.url}: unexpected status code {status}: you sent" in str(failed)
    assert "<secret>, and that is wrong" in str(failed)


def test_retry_after() -> None:
    with receiver(lambda _: Reply(429, headers=(("Retry-After", "7"),))) as there:
        assert failure(there.url).retry_after_s == 7
    with receiver(lambda _: Reply(503, headers=(("Retry-After", "soon"),))) as there:
        assert failure(there.url).retry_after_s is None
    until = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert 55 < (retry_after_s({"retry-after": until}) or 0) <= 60
    assert retry_after_s({"retry-after": "999999999"}) == 3600
    assert retry_after_s({"retry-after": "-5"}) == 0
    assert retry_after_s({"retry-after": "nan"}) is None


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (hang, FailureKind.TIMEOUT),
        (trickle, FailureKind.TIMEOUT),
        (reset, FailureKind.NETWORK),
        (lie_about_length, FailureKind.NETWORK),
        (answer_garbage, FailureKind.NETWORK),
        (answer_long_headers, FailureKind.NETWORK),
    ],
)
def test_bad_receivers(how: Misbehaviour, kind: FailureKind) -> None:
    began = time.monotonic()
    with misbehaving(how) as url:
        failed = failure(url)
    assert time.monotonic() - began < 2
    assert (failed.retryable, failed.kind) == (True, kind), str(failed)


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with misbehaving(answer_much) as url:
        send("webhook", {"url": url, "timeout": "5s"})


def test_nobody_listens() -> None:
    failed = failure("http://127.0.0.1:9")
    assert (failed.retryable, failed.kind) == (True, FailureKind.NETWORK)


@pytest.mark.parametrize("url", ["ftp://example.com", "no address", "http://", "http://[::1"])
def test_bad_addresses(url: str) -> None:
    failed = failure(url)
    assert (failed.retryable, failed.kind) == (False, FailureKind.CLIENT)


def test_one_that_hangs_delays_nobody() -> None:
    async def both(slow: str, quick: str) -> float:
        began = time.monotonic()
        made = [notifier("webhook", {"url": url, "timeout": "1s"}) for url in (slow, quick)]
        hanging = asyncio.create_task(made[0].notify(notification(), {}))
        await made[1].notify(notification(), {})
        took = time.monotonic() - began
        with pytest.raises(NotifyFailedError):
            await hanging
        return took

    with misbehaving(hang) as slow, receiver() as quick:
        assert asyncio.run(both(slow, quick.url)) < 0.9


# Redirects


def test_redirects_keep_the_body_where_they_say_so() -> None:
    def answer(got: Received) -> Reply:
        return Reply(307, b"", (("Location", "/there"),)) if got.path == "/here" else Reply()

    with receiver(answer) as there:
        send("webhook", {"url": there.url + "/here"})
        first, second = there.requests
    assert (second.method, second.path, second.body) == ("POST", "/there", first.body)


def test_redirects_to_others_take_no_secrets_along() -> None:
    with receiver() as other:
        with receiver(lambda _: Reply(307, b"", (("Location", other.url + "/"),))) as there:
            settings: Mapping[str, Any] = {
                "http_config": {"authorization": {"credentials": SECRET}},
                "headers": {"X-Key": SECRET},
                "hmac": {"secret": SECRET},
            }
            send("webhook", {"url": there.url, **settings})
        assert SECRET not in str(other.requests[0].headers)
        assert "x-swarmscope-signature" not in other.requests[0].headers
        assert there.requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_redirects_without_end() -> None:
    with receiver(lambda _: Reply(307, b"", (("Location", "/"),))) as there:
        failed = failure(there.url, timeout="5s")
    assert "stopped after 10 redirects" in str(failed)
    assert not failed.retryable
    assert len(there.requests) == 11


def test_redirects_are_not_followed_where_told() -> None:
    with receiver(lambda _: Reply(302, b"", (("Location", "/x"),))) as there:
        failed = failure(there.url, http_config={"follow_redirects": False})
    assert (failed.retryable, len(there.requests)) == (False, 1)
    assert "302" in str(failed)


# Who we are


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"basic_auth": {"username": "me", "password": "pw"}}, "Basic " + base64.b64encode(b"me:pw").decode()),
        ({"basic_auth": {"username": "me", "password_file": "key"}},
         "Basic " + base64.b64encode(b"me:from-file").decode()),
        ({"authorization": {"credentials": "abc"}}, "Bearer abc"),
        ({"authorization": {"type": "Token", "credentials_file": "key"}}, "Token from-file"),
        ({"authorization": {"credentials_env": "KEY"}}, "Bearer from-variable"),
        ({"bearer_token": "abc"}, "Bearer abc"),
        ({"bearer_token_file": "key"}, "Bearer from-file"),
    ],
)  # fmt: skip
def test_authorization(settings: Mapping[str, Any], header: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    with receiver() as there:
        send("webhook", {"url": there.url, "http_config": settings}, folder=str(tmp_path),
             environment={"KEY": "from-variable"})  # fmt: skip
        assert there.requests[0].headers["authorization"] == header


def test_http_headers(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    headers = {"X-All": {"values": ["a"], "secrets": ["b"], "files": ["key"]}}
    with receiver() as there:
        send("webhook", {"url": there.url, "http_config": {"http_headers": headers}}, folder=str(tmp_path))
        assert there.requests[0].headers["x-all"] == "a, b, from-file"


def _token_server(there: Receiver) -> Reply:
    return Reply(200, b'{"access_token": "tok%d", "expires_in": 3600}' % len(there.requests))


def test_oauth2() -> None:
    with receiver() as tokens, receiver() as there:
        tokens.answering = lambda _: _token_server(tokens)
        grant = {"client_id": "me", "client_secret": SECRET, "token_url": tokens.url + "/token",
                 "scopes": ["a", "b"], "endpoint_params": {"audience": "x"}}  # fmt: skip
        made = notifier("webhook", {"url": there.url, "http_config": {"oauth2": grant}})

        async def thrice() -> None:
            await made.notify(notification(), {})
            await made.notify(notification(), {})
            there.answering = lambda _: Reply(401, b"")
            with pytest.raises(NotifyFailedError, match="the access token is refused") as refused:
                await made.notify(notification(), {})
            assert refused.value.retryable
            there.answering = lambda _: Reply()
            await made.notify(notification(), {})

        asyncio.run(thrice())
        body = tokens.requests[0].body.decode()
        assert "grant_type=client_credentials" in body
        assert "scope=a+b" in body
        assert "audience=x" in body
        assert [got.headers["authorization"] for got in there.requests] == ["Bearer tok1"] * 3 + ["Bearer tok2"]


def test_oauth2_without_token() -> None:
    with receiver(lambda _: Reply(200, b"{}")) as tokens, receiver() as there:
        grant = {"client_id": "me", "client_secret": SECRET, "token_url": tokens.url}
        failed = failure(there.url, http_config={"oauth2": grant})
    assert failed.kind is FailureKind.AUTH
    assert there.requests == []


# TLS


def test_tls_is_verified(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    with receiver(context=context) as there:
        failed = failure(there.url, timeout="5s")
        assert "CERTIFICATE_VERIFY_FAILED" in str(failed)
        assert there.requests == []
        for tls in ({"ca_file": "127.0.0.1.pem"}, {"insecure_skip_verify": True},
                    {"ca": (tmp_path / "127.0.0.1.pem").read_text()}):  # fmt: skip
            send("webhook", {"url": there.url, "http_config": {"tls_config": tls}}, folder=str(tmp_path))
        assert len(there.requests) == 3


def test_tls_server_name(tmp_path: Path) -> None:
    with receiver(context=server_context(tmp_path, "receiver.example")) as there:
        wrong = {"ca_file": str(tmp_path / "receiver.example.pem")}
        assert failure(there.url, timeout="5s", http_config={"tls_config": wrong}).retryable
        send("webhook", {"url": there.url, "http_config": {"tls_config": {**wrong, "server_name": "receiver.example"}}})
        assert len(there.requests) == 1


def test_client_certificates(tmp_path: Path) -> None:
    certificate(tmp_path, "client")
    context = server_context(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tmp_path / "client.pem")
    with receiver(context=context) as there:
        assert failure(
            there.url, timeout="5s", http_config={"tls_config": {"ca_file": str(tmp_path / "127.0.0.1.pem")}}
        )
        tls = {"ca_file": "127.0.0.1.pem", "cert_file": "client.pem", "key_file": "client.key"}
        send("webhook", {"url": there.url, "http_config": {"tls_config": tls}}, folder=str(tmp_path))
        assert len(there.requests) == 1


def test_redirects_away_from_tls_are_refused(tmp_path: Path) -> None:
    with receiver() as plain:
        answer = Reply(307, b"", (("Location", plain.url),))
        with receiver(lambda _: answer, context=server_context(tmp_path)) as there:
            failed = failure(there.url, timeout="5s", http_config={"tls_config": {"insecure_skip_verify": True}})
        assert "redirected away from TLS" in str(failed)
        assert plain.requests == []


# Proxies


def test_proxy() -> None:
    with receiver() as proxy:
        send("webhook", {"url": "http://hooks.example/x", "http_config": {"proxy_url": proxy.url}})
        assert proxy.requests[0].path == "http://hooks.example/x"


def test_proxy_from_environment() -> None:
    with receiver() as proxy, receiver() as there:
        settings = {"http_config": {"proxy_from_environment": True}}
        environment = {"HTTP_PROXY": proxy.url, "no_proxy": "127.0.0.0/8"}
        send("webhook", {"url": "http://hooks.example/x", **settings}, environment=environment)
        send("webhook", {"url": there.url, **settings}, environment=environment)
        assert (len(proxy.requests), len(there.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("url", "exempt", "expected"),
    [
        ("http://a.example.com", "example.com", True),
        ("http://example.com", "example.com", True),
        ("http://example.com", ".example.com", False),
        ("http://a.example.com", ".example.com", True),
        ("http://badexample.com", "example.com", False),
        ("http://example.com:81", "example.com:80", False),
        ("http://example.com", "example.com:80", True),
        ("https://example.com", "example.com:443", True),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://[::1]:9", "::1", True),
        ("http://anything", "*", True),
        ("http://anything", "", False),
    ],
)
def test_exempt_from_proxies(url: str, exempt: str, expected: bool) -> None:
    import httpx

    assert is_exempt(httpx.URL(url), exempt) is expected


# What is shown


def test_secrets_show_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="swarmscope"), receiver(lambda _: Reply(500, SECRET.encode())) as there:
        made = notifier("webhook", {
            "url": f"{there.url}/{SECRET}",
            "hmac": {"secret": SECRET},
            "http_config": {"authorization": {"credentials": SECRET}, "http_headers": {"X": {"secrets": [SECRET]}}},
        })  # fmt: skip
        with pytest.raises(NotifyFailedError) as failed:
            asyncio.run(made.notify(notification(), {}))
    shown = [repr(made), repr(vars(made)), str(failed.value), repr(failed.value), caplog.text]
    assert not any(SECRET in text for text in shown)

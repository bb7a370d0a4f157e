"""One request to a receiver, bounded in time and size, whose every failure is a NotifyFailedError without secrets.

A connection is made for each: notifications are rare, and a kept one may be dead when it is needed.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from swarmscope import __version__
from swarmscope.integrations.http.answers import Answer, check_answer, without_secrets
from swarmscope.integrations.http.http_settings import HttpSettings, ProxySettings, TlsSettings
from swarmscope.integrations.http.oauth2 import TokenSource
from swarmscope.integrations.http.proxies import proxy_for
from swarmscope.integrations.http.tls import tls_context
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.model.alerts import FailureKind, NotifyFailedError

DEFAULT_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024  # no receiver has more to say that we need
MAX_REDIRECTS = 10  # as Go's client
_TLS_LIFE_S = 60.0  # how long certificates are kept that were read from files
_SECRET_LENGTH = 8  # a shorter piece of an address is a word and no secret
_REDIRECTS = (301, 302, 303, 307, 308)
_HARMLESS_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
_USER_AGENT = f"Swarmscope/{__version__}"


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request. The address may hold a secret; `secrets` are all others, which no message may show."""

    url: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    secrets: tuple[str, ...] = field(default=(), repr=False)


class HttpSender:
    """Sends requests as one `http_config` says."""

    def __init__(self, settings: HttpSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._tokens = TokenSource(settings.oauth2) if settings.oauth2 else None
        self._contexts: dict[int, tuple[float, ssl.SSLContext]] = {}

    def without_authorization(self) -> HttpSender:
        """A sender for addresses that must not learn who we are."""
        plain: dict[str, object] = {"basic_auth": None, "authorization": None, "oauth2": None, "http_headers": {}}
        plain |= {"bearer_token": None, "bearer_token_file": None, "bearer_token_env": None}
        return HttpSender(self._settings.model_copy(update=plain), self._around)

    async def deliver(self, request: OutgoingRequest) -> Answer:
        """The answer, which is a 2xx. Raises NotifyFailedError."""
        headers, secrets = await self._own_headers(request)
        answer = await self._bounded(request, headers, self._settings, (*request.secrets, *secrets))
        if answer.status == 401 and self._tokens is not None:
            self._tokens.forget()
            raise NotifyFailedError(
                f"{_where(request.url)}: the access token is refused", retryable=True, kind=FailureKind.AUTH
            )
        check_answer(answer, _where(request.url), (*request.secrets, *secrets, *_url_secrets(request.url)))
        return answer

    # Headers

    async def _own_headers(self, request: OutgoingRequest) -> tuple[dict[str, str], tuple[str, ...]]:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        secrets: list[str] = []
        for name, given in self._settings.http_headers.items():
            hidden = [value.get_secret_value() for value in given.secrets]
            hidden += [self._around.read_file(file, f"http_headers.{name}") for file in given.files]
            secrets += hidden
            headers[name] = ", ".join([*given.values, *hidden])
        authorization = await self._authorization()
        if authorization:
            headers["Authorization"] = authorization
            secrets += [authorization, authorization.partition(" ")[2]]
        return headers, tuple(secrets)

    async def _authorization(self) -> str:
        settings, around = self._settings, self._around
        if settings.basic_auth is not None:
            name = around.secret(settings.basic_auth, "username")
            pair = f"{name}:{around.secret(settings.basic_auth, 'password')}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        if settings.authorization is not None:
            return f"{settings.authorization.type} {around.secret(settings.authorization, 'credentials')}"
        if settings.has_secret("bearer_token"):
            return f"Bearer {around.secret(settings, 'bearer_token')}"
        if settings.oauth2 is not None and self._tokens is not None:
            secret = around.secret(settings.oauth2, "client_secret")
            return f"Bearer {await self._tokens.token(secret, self._post_form)}"
        return ""

    async def _post_form(self, url: str, form: str) -> Answer:
        grant = self._settings.oauth2
        if grant is None:
            raise ValueError("there is no oauth2 to ask for a token")
        secret = self._around.secret(grant, "client_secret")
        headers = {
            "User-Agent": _USER_AGENT,
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        request = OutgoingRequest(url, form.encode(), secrets=(secret,))
        answer = await self._bounded(request, headers, grant, (secret,))
        check_answer(answer, f"oauth2: {_where(url)}", (secret,))
        return answer

    # The exchange

    async def _bounded(
        self, request: OutgoingRequest, headers: dict[str, str], settings: HttpSettings | ProxySettings,
        secrets: tuple[str, ...],
    ) -> Answer:  # fmt: skip
        where = _where(request.url)
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._follow(request, headers, settings)
        except TimeoutError:
            raise NotifyFailedError(
                f"{where}: no answer within {request.timeout_s:g} s", retryable=True, kind=FailureKind.TIMEOUT
            ) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError, ValueError):
            raise NotifyFailedError(
                f"{where}: the address or a header is not valid", retryable=False, kind=FailureKind.CLIENT
            ) from None
        except (httpx.HTTPError, OSError) as error:
            told = without_secrets(str(error), (*secrets, *_url_secrets(request.url)))
            raise NotifyFailedError(
                f"{where}: {type(error).__name__}: {told}".rstrip(": "), retryable=True, kind=FailureKind.NETWORK
            ) from None

    async def _follow(
        self, request: OutgoingRequest, headers: dict[str, str], settings: HttpSettings | ProxySettings
    ) -> Answer:
        url, method, body = httpx.URL(request.url), request.method, request.body
        if not url.host:
            raise ValueError("no host")
        follows = getattr(settings, "follow_redirects", True)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._once(httpx.Request(method, url, headers=headers, content=body or None), settings)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location or not follows:
                return answer
            there = url.join(location)
            if url.scheme == "https" and there.scheme != "https":
                raise _refused(request.url, "is redirected away from TLS")
            if (there.scheme, there.host, there.port) != (url.scheme, url.host, url.port):
                # What is meant for one host is not for another.
                headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS_HEADERS}
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                method, body = "GET", b""
                headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            url = there
        raise _refused(request.url, f"stopped after {MAX_REDIRECTS} redirects")

    async def _once(self, request: httpx.Request, settings: HttpSettings | ProxySettings) -> Answer:
        tls: TlsSettings = getattr(settings, "tls_config", TlsSettings())
        verify: ssl.SSLContext | bool = self._context(tls) if request.url.scheme == "https" else False
        if tls.server_name:
            request.extensions["sni_hostname"] = tls.server_name
        client = httpx.AsyncClient(
            verify=verify,
            proxy=proxy_for(request.url, settings, self._around.environment),
            trust_env=False,
            timeout=None,  # noqa: S113 - the whole exchange is bounded
        )
        async with client:
            response = await client.send(request, stream=True)
            try:
                body, is_whole = await _read(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, dict(response.headers), body, is_whole)

    def _context(self, tls: TlsSettings) -> ssl.SSLContext:
        kept = self._contexts.get(id(tls))
        if kept is None or time.monotonic() - kept[0] > _TLS_LIFE_S:
            kept = self._contexts[id(tls)] = (time.monotonic(), tls_context(tls, self._around))
        return kept[1]


async def _read(response: httpx.Response) -> tuple[bytes, bool]:
    """The body's beginning. What it was packed with, which nobody asked for, stays."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part[: MAX_ANSWER_BYTES - len(body)]
        if len(body) >= MAX_ANSWER_BYTES:
            return bytes(body), False
    return bytes(body), True


def _refused(url: str, why: str) -> NotifyFailedError:
    return NotifyFailedError(f"{_where(url)}: {why}", retryable=False, kind=FailureKind.CLIENT)


def _where(url: str) -> str:
    """The host, and nothing of the path, in which webhooks have their secrets."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return "the address"
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}" if parsed.host else "the address"


def _url_secrets(url: str) -> tuple[str, ...]:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return (url,)
    # Webhooks of chats have their secrets in the path, others in the query.
    pieces = [*parsed.path.split("/"), *(value for _, value in parsed.params.multi_items())]
    long = [piece for piece in pieces if len(piece) >= _SECRET_LENGTH]
    return tuple(filter(None, (url, parsed.password, parsed.username, *long)))

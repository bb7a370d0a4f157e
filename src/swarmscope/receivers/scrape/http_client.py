"""HTTP out: one client per job or discovery, with the authentication, TLS and proxy of its configuration."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from swarmscope import __version__
from swarmscope.receivers.scrape.http_config import HttpClientOptions, TlsConfig

# What a target may send at most where no body_size_limit is set: against endless bodies and gzip bombs.
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_TLS_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


class FetchError(Exception):
    """The answer did not come, or is not one to use; the text is what /api/v1/targets shows."""


class BodyTooLargeError(FetchError):
    """The body is larger than `body_size_limit`."""

    def __init__(self) -> None:
        super().__init__("body size limit exceeded")


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 answer: the body as it came over the wire."""

    content_type: str
    encoding: str
    body: bytes


class HttpClient:
    """Fetches with one configuration. Use inside one event loop; `close` it."""

    def __init__(self, options: HttpClientOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=build_ssl_context(self._options.tls_config), limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
            )
        return self._session

    async def get(self, url: str, headers: dict[str, str], *, timeout_s: float, max_bytes: int) -> Answer:
        """The answer to GET `url` within `timeout_s`; raises FetchError for anything but a 200."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(url, headers, max_bytes)
        except TimeoutError:
            raise FetchError(f"Get {url!r}: no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, ssl.SSLError) as error:
            raise FetchError(f"Get {url!r}: {_in_words(error)}") from None

    async def _get(self, url: str, headers: dict[str, str], max_bytes: int) -> Answer:
        options = self._options
        first = target = URL(url, encoded=True)
        for _ in range(MAX_REDIRECTS + 1):
            # What authenticates us is for the host of the configuration, wherever that sends us.
            own = build_headers(options) if may_carry_secrets(first, target) else {}
            request = self._open().get(
                target,
                headers={"User-Agent": f"Swarmscope/{__version__}", **headers, **own},
                allow_redirects=False,
                proxy=options.proxy_url or None,
                server_hostname=options.tls_config.server_name or None,
            )
            async with request as response:
                location = response.headers.get("Location", "")
                if options.follow_redirects and response.status in _REDIRECTS and location:
                    target = _redirected(target, location)
                    continue
                return await _read_answer(response, max_bytes)
        raise FetchError(f"Get {url!r}: stopped after {MAX_REDIRECTS} redirects")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _read_answer(response: aiohttp.ClientResponse, max_bytes: int) -> Answer:
    if response.status != 200:
        raise FetchError(f"server returned HTTP status {response.status} {response.reason or ''}".rstrip())
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > max_bytes:
            raise BodyTooLargeError
        parts.append(part)
    encoding = response.headers.get("Content-Encoding", "").lower()
    return Answer(response.headers.get("Content-Type", ""), encoding, b"".join(parts))


def may_carry_secrets(first: URL, target: URL) -> bool:
    """Whether what authenticates us to `first` may go to `target`: the same origin, or the same host made secure."""
    if first.host != target.host:
        return False
    ends = (first.scheme, first.port), (target.scheme, target.port)
    return ends[0] == ends[1] or ends == (("http", 80), ("https", 443))


def _redirected(target: URL, location: str) -> URL:
    following = target.join(URL(location))
    if following.scheme not in ("http", "https") or not following.host:
        raise FetchError(f"Get {str(target)!r}: redirected to {location!r}; allowed: http and https")
    # A name and a password in the address would be sent as credentials that nobody configured.
    return following.with_user(None)


def decompress(answer: Answer, max_bytes: int) -> bytes:
    """The plain body; raises BodyTooLargeError before more than `max_bytes` are unpacked, FetchError for bad gzip."""
    if answer.encoding in ("", "identity"):
        return answer.body
    if answer.encoding != "gzip":
        raise FetchError(f"Content-Encoding {answer.encoding!r} was not asked for")
    parts: list[bytes] = []
    size = 0
    rest = answer.body
    try:
        while rest:  # a gzip body may have several members
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(rest, max_bytes - size + 1)
            size += len(part)
            if size > max_bytes:
                raise BodyTooLargeError
            if not unpacker.eof:
                raise FetchError("the gzip body ends early")
            parts.append(part)
            rest = unpacker.unused_data
    except zlib.error as error:
        raise FetchError(f"the gzip body is damaged: {error}") from None
    return b"".join(parts)


def build_headers(options: HttpClientOptions) -> dict[str, str]:
    """Authentication and extra headers. Secret files are read anew, so that they may be rotated."""
    headers: dict[str, str] = {}
    if options.basic_auth is not None:
        basic = options.basic_auth
        user = _secret(basic.username, basic.username_file)
        headers["Authorization"] = _basic(user, _secret(basic.password, basic.password_file))
    elif options.authorization is not None:
        own = options.authorization
        headers["Authorization"] = f"{own.type.strip()} {_secret(own.credentials, own.credentials_file)}"
    elif options.bearer_token or options.bearer_token_file:
        headers["Authorization"] = f"Bearer {_secret(options.bearer_token, options.bearer_token_file)}"
    for name, header in options.http_headers.items():
        values = [*header.values, *header.secrets, *(_secret("", path) for path in header.files)]
        headers[name] = ", ".join(values)
    return headers


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _secret(value: str, path: str) -> str:
    if not path:
        return value
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise FetchError(f"unable to read {path}: {error}") from None


def build_ssl_context(config: TlsConfig) -> ssl.SSLContext:
    """Python's TLS settings for `tls_config`; raises FetchError where a certificate cannot be read."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None, cadata=config.ca or None)
        if config.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if config.min_version is not None:
            context.minimum_version = _TLS_VERSIONS[config.min_version]
        if config.max_version is not None:
            context.maximum_version = _TLS_VERSIONS[config.max_version]
        if config.cert or config.cert_file:
            _load_client_certificate(context, config)
    except (OSError, ValueError) as error:
        raise FetchError(f"tls_config cannot be used: {error}") from None
    return context


def _load_client_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    """Python takes certificates from files alone, so inline PEM goes through files only this user may read."""
    with tempfile.TemporaryDirectory() as folder:

        def file_of(name: str, inline: str, path: str) -> str:
            if path:
                return path
            target = os.path.join(folder, name)
            Path(target).touch(mode=0o600)
            Path(target).write_text(inline, "utf-8")
            return target

        certificate = file_of("cert.pem", config.cert, config.cert_file)
        context.load_cert_chain(certificate, file_of("key.pem", config.key, config.key_file))


def _in_words(error: Exception) -> str:
    """What happened, without the library's own terms: `connection refused`, not which call it was in."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        cause = error.os_error
        # Names that cannot be resolved have negative numbers, which only their own text explains.
        number = cause.errno or 0
        return (os.strerror(number) if number > 0 else cause.strerror or str(cause)).lower()
    return str(error) or type(error).__name__

"""The HTTP client part of Prometheus' configuration: authentication, TLS, proxy, headers.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from swarmscope.receivers.scrape.scalars import EMPTY_IS_LIST, EMPTY_IS_MAP, Boolean, Text

# Headers that the scraper sets itself; Prometheus refuses them too.
_RESERVED_HEADERS = frozenset(
    {
        "authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection",
        "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
        "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds",
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
    }
)  # fmt: skip
_UNSUPPORTED = ("oauth2", "proxy_from_environment", "no_proxy", "proxy_connect_header")


class Strict(BaseModel):
    """A mapping whose keys are all known and whose values have exactly the declared types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def check_url(url: str) -> str:
    """Return `url`; raises ValueError where it is not absolute http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a URL; allowed: http://host… or https://host…")
    return url


def _at_most_one(owner: BaseModel, *names: str) -> None:
    given = [name for name in names if getattr(owner, name)]
    if len(given) > 1:
        raise ValueError(f"at most one of {', '.join(names)} is allowed, not {' and '.join(given)}")


class BasicAuth(Strict):
    """`basic_auth`: user and password, from the file or from another file."""

    username: Text = ""
    username_file: Text = ""
    password: Text = ""
    password_file: Text = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _at_most_one(self, "username", "username_file")
        _at_most_one(self, "password", "password_file")
        return self


class Authorization(Strict):
    """`authorization`: any scheme of the Authorization header but Basic."""

    type: Text = "Bearer"
    credentials: Text = ""
    credentials_file: Text = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _at_most_one(self, "credentials", "credentials_file")
        if self.type.strip().lower() == "basic":
            raise ValueError("type Basic is not allowed here; allowed: basic_auth for it, any other type")
        return self


TlsVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class TlsConfig(Strict):
    """`tls_config`: certificates as files or inline PEM."""

    ca: Text = ""
    ca_file: Text = ""
    cert: Text = ""
    cert_file: Text = ""
    key: Text = ""
    key_file: Text = ""
    server_name: Text = ""
    insecure_skip_verify: Boolean = False
    min_version: TlsVersion | None = None
    max_version: TlsVersion | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("ca", "cert", "key"):
            _at_most_one(self, name, f"{name}_file")
        if bool(self.cert or self.cert_file) != bool(self.key or self.key_file):
            raise ValueError("a client certificate needs both cert or cert_file and key or key_file")
        return self


class HttpHeader(Strict):
    """The values of one header in `http_headers`."""

    values: Annotated[list[Text], EMPTY_IS_LIST] = []
    secrets: Annotated[list[Text], EMPTY_IS_LIST] = []
    files: Annotated[list[Text], EMPTY_IS_LIST] = []


def _check_headers(headers: dict[str, HttpHeader]) -> dict[str, HttpHeader]:
    for name in headers:
        if name.lower() in _RESERVED_HEADERS:
            raise ValueError(f"header {name} is not allowed: it is set by the scraper itself")
    return headers


class HttpClientOptions(Strict):
    """How to talk to an HTTP server: scrape jobs and HTTP discovery share these keys."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: Text = ""
    bearer_token_file: Text = ""
    tls_config: Annotated[TlsConfig, EMPTY_IS_MAP] = Field(default_factory=TlsConfig)
    follow_redirects: Boolean = True
    # Accepted as it stands; HTTP/1.1 is spoken either way, as any server of metrics speaks it.
    enable_http2: Boolean = True
    proxy_url: Annotated[Text, AfterValidator(lambda url: check_url(url) if url else url)] = ""
    http_headers: Annotated[dict[Text, HttpHeader], EMPTY_IS_MAP, AfterValidator(_check_headers)] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, value: Any) -> Any:
        for name in _UNSUPPORTED:
            if isinstance(value, dict) and name in value:
                raise ValueError(f"{name} is not supported; allowed: basic_auth, authorization, tls_config, proxy_url")
        return value

    @model_validator(mode="after")
    def _check_one_authentication(self) -> Self:
        _at_most_one(self, "basic_auth", "authorization", "bearer_token", "bearer_token_file")
        return self

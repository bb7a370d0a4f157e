"""Settings of requests. Source: https://prometheus.io/docs/alerting/latest/configuration/#http_config"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from swarmscope.integrations.integration_settings import Settings

TlsVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class TlsSettings(Settings):
    """`tls_config`."""

    ca: str | None = None
    ca_file: str | None = None
    cert: str | None = None
    cert_file: str | None = None
    key: SecretStr | None = None
    key_file: str | None = None
    key_env: str | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: TlsVersion | None = None
    max_version: TlsVersion | None = None

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        has_cert, has_key = bool(self.cert or self.cert_file), self.has_secret("key")
        if has_cert != has_key:
            raise ValueError("a client certificate needs both cert and key (or their files)")
        return self


class ProxySettings(Settings):
    """How a request reaches its host."""

    proxy_url: SecretStr | None = None
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: dict[str, list[SecretStr]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_proxy(self) -> ProxySettings:
        if self.proxy_from_environment and (self.proxy_url or self.no_proxy):
            raise ValueError("if proxy_from_environment is set, proxy_url and no_proxy must not be")
        if (self.no_proxy or self.proxy_connect_header) and not (self.proxy_url or self.proxy_from_environment):
            raise ValueError("no_proxy and proxy_connect_header need a proxy_url")
        return self


class BasicAuth(Settings):
    """`basic_auth`."""

    username: str | None = None
    username_file: str | None = None
    username_env: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    password_env: str | None = None


class Authorization(Settings):
    """`authorization`: a header of a type and a secret."""

    type: str = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: str | None = None
    credentials_env: str | None = None

    @model_validator(mode="after")
    def _not_basic(self) -> Authorization:
        if self.type.strip().lower() == "basic":
            raise ValueError('authorization type cannot be set to "basic", use "basic_auth" instead')
        return self


class OAuth2(ProxySettings):
    """`oauth2`: the client credentials grant."""

    client_id: str
    client_secret: SecretStr | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    scopes: list[str] = Field(default_factory=list)
    token_url: str
    endpoint_params: dict[str, str] = Field(default_factory=dict)
    tls_config: TlsSettings = TlsSettings()


class HeaderValues(Settings):
    """Values of one header, of which some are secret."""

    values: list[str] = Field(default_factory=list)
    secrets: list[SecretStr] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)


class HttpSettings(ProxySettings):
    """`http_config`. HTTP/1.1 is spoken whatever `enable_http2` says."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    bearer_token: SecretStr | None = None
    bearer_token_file: str | None = None
    bearer_token_env: str | None = None
    enable_http2: bool = True
    follow_redirects: bool = True
    tls_config: TlsSettings = TlsSettings()
    http_headers: dict[str, HeaderValues] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way_in(self) -> HttpSettings:
        ways = (self.basic_auth, self.authorization, self.oauth2, self.has_secret("bearer_token") or None)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("at most one of basic_auth, authorization, oauth2 & bearer_token must be configured")
        return self

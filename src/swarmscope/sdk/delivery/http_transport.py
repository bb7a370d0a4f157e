"""OTLP over HTTP with protobuf (https://opentelemetry.io/docs/specs/otlp/#otlphttp)."""

from __future__ import annotations

import gzip
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import requests

from swarmscope.sdk.delivery.transport import Answer, Reply

# The specification's list; every other error is final.
_WORTH_ANOTHER_TRY = frozenset({429, 502, 503, 504})
_GZIP_LEVEL = 4  # half the time of the default level for some percent more bytes


class HttpTransport:
    """Posts to one URL, over a connection that is kept."""

    def __init__(self, url: str, headers: Mapping[str, str], *, certificate_file: str | None, compress: bool) -> None:
        self._url = url
        self._headers = {"content-type": "application/x-protobuf", **{name.lower(): v for name, v in headers.items()}}
        if compress:
            self._headers["content-encoding"] = "gzip"
        self._compress = compress
        self._certificate_file = certificate_file
        self._session = self._connect()

    def _connect(self) -> requests.Session:
        session = requests.Session()
        if self._certificate_file is not None:
            session.verify = self._certificate_file
        # Otherwise a line for the host in ~/.netrc would replace the token.
        session.auth = _as_it_is
        return session

    def send(self, payload: bytes, timeout_s: float) -> Reply:
        """Post once; the connection may take `timeout_s`, and so may the answer."""
        body = gzip.compress(payload, _GZIP_LEVEL, mtime=0) if self._compress else payload
        try:
            response = self._session.post(
                self._url, data=body, headers=self._headers, timeout=timeout_s, allow_redirects=False
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            return Reply(Answer.AGAIN, detail=type(error).__name__)
        except Exception as error:
            return Reply(Answer.REFUSED, detail=f"{type(error).__name__}: {error}")
        if 200 <= response.status_code < 300:
            return Reply(Answer.ACCEPTED, body=response.content)
        detail = f"{response.status_code} {response.reason}"
        if response.status_code in _WORTH_ANOTHER_TRY:
            return Reply(Answer.AGAIN, parse_retry_after(response.headers.get("retry-after")), detail=detail)
        return Reply(Answer.REFUSED, detail=detail)

    def start_over(self) -> None:
        """A new session; the old one's sockets are the parent process's."""
        self._session = self._connect()

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def parse_retry_after(text: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3): a number or a date; None where it says nothing."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None

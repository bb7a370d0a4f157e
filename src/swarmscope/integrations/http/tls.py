"""TLS as `tls_config` has it. Source: https://prometheus.io/docs/alerting/latest/configuration/#tls_config"""

from __future__ import annotations

import ssl
import tempfile

from swarmscope.integrations.http.http_settings import TlsSettings
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.model.alerts import FailureKind, NotifyFailedError

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


def tls_context(settings: TlsSettings, around: Surroundings) -> ssl.SSLContext:
    """A context that verifies unless told not to. Files are read now. Raises NotifyFailedError."""
    try:
        context = ssl.create_default_context(cafile=str(around.path(settings.ca_file)) if settings.ca_file else None)
        if settings.ca:
            context.load_verify_locations(cadata=settings.ca)
        if settings.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.minimum_version = _VERSIONS[settings.min_version or "TLS12"]
        if settings.max_version:
            context.maximum_version = _VERSIONS[settings.max_version]
        _load_client_certificate(context, settings, around)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise NotifyFailedError(
            f"tls_config: {type(error).__name__}: {getattr(error, 'strerror', None) or 'cannot be used'}",
            retryable=True,
            kind=FailureKind.OTHER,
        ) from None
    return context


def _load_client_certificate(context: ssl.SSLContext, settings: TlsSettings, around: Surroundings) -> None:
    if not settings.cert and not settings.cert_file:
        return
    certificate = settings.cert or around.path(settings.cert_file or "").read_text(encoding="utf-8")
    # OpenSSL takes the two from files alone; this one can be read by us only, and goes at once.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".pem") as both:
        both.write(f"{around.secret(settings, 'key')}\n{certificate}\n")
        both.flush()
        context.load_cert_chain(both.name)

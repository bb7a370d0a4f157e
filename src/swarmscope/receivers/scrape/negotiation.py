"""Which exposition formats are asked for, and which one came.

Source: https://prometheus.io/docs/instrumenting/content_negotiation/
"""

from __future__ import annotations

from email.message import Message

from swarmscope.receivers.scrape.config_model import ScrapeJob, ScrapeProtocol
from swarmscope.receivers.scrape.exposition import ExpositionError

_MEDIA_TYPES: dict[ScrapeProtocol, str] = {
    "PrometheusProto": ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"),
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
}
# Only these versions know how to escape names.
_ESCAPING = frozenset({"PrometheusText1.0.0", "OpenMetricsText1.0.0"})


def accept_header(job: ScrapeJob) -> str:
    """The Accept header: the job's protocols in order, with falling weights."""
    weight = len(_MEDIA_TYPES) + 1
    offers: list[str] = []
    for protocol in job.protocols:
        escaping = f";escaping={job.escaping_scheme}" if protocol in _ESCAPING else ""
        offers.append(f"{_MEDIA_TYPES[protocol]}{escaping};q=0.{weight}")
        weight -= 1
    return ",".join([*offers, f"*/*;q=0.{weight}"])


def chosen_protocol(content_type: str, fallback: ScrapeProtocol | None) -> ScrapeProtocol:
    """The format of a body with `content_type`; raises ExpositionError where it is none and no fallback is set."""
    message = Message()
    message["Content-Type"] = content_type
    kind = message.get_content_type() if content_type.strip() else ""
    if kind == "application/openmetrics-text":
        return "OpenMetricsText1.0.0"
    if kind == "text/plain" and content_type.lower().lstrip().startswith("text/plain"):
        return "PrometheusText0.0.4"
    if kind == "application/vnd.google.protobuf":
        proto, encoding = message.get_param("proto"), message.get_param("encoding")
        if proto in (None, "io.prometheus.client.MetricFamily") and encoding in (None, "delimited"):
            return "PrometheusProto"
    if fallback is not None:
        return fallback
    fault = f"received unsupported Content-Type {content_type!r}" if content_type else "received no Content-Type"
    raise ExpositionError(f"{fault} and no fallback_scrape_protocol specified for target")

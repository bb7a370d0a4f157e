"""What one sender and one tenant may bring of traces."""

from __future__ import annotations

from pydantic import ByteSize, Field

from swarmscope.app.settings.fields import Count, CountOrOff, Section, Size
from swarmscope.app.settings.log_limits import SizeOrOff

_MIB = 1024 * 1024


class SpanShapeLimits(Section):
    """Limits on what spans look like and how fast they come; 0: no limit."""

    max_span_bytes: SizeOrOff = Field(
        default=ByteSize(4 * _MIB),
        description="Names, values and texts of one span, its events and links together; 0: no limit.",
    )
    max_attributes: CountOrOff = Field(default=1024, description="Attributes of one span; 0: no limit.")
    max_attribute_name_bytes: CountOrOff = Field(
        default=1024, description="Length of the name of a span's attribute; 0: no limit."
    )
    max_events: CountOrOff = Field(default=4096, description="Events of one span; 0: no limit.")
    max_links: CountOrOff = Field(default=4096, description="Links of one span; 0: no limit.")
    max_resource_attributes: CountOrOff = Field(default=256, description="Attributes of one resource; 0: no limit.")
    max_bytes_per_second: SizeOrOff = Field(
        default=ByteSize(0), description="Spans of one tenant, held over ten seconds; 0: no limit."
    )


class TenantSpanLimits(Section):
    """One tenant's own limits for traces; what is not given is as for everybody."""

    max_span_bytes: SizeOrOff | None = Field(default=None, description="See `limits.traces.max_span_bytes`.")
    max_attributes: CountOrOff | None = Field(default=None, description="See `limits.traces.max_attributes`.")
    max_attribute_name_bytes: CountOrOff | None = Field(
        default=None, description="See `limits.traces.max_attribute_name_bytes`."
    )
    max_events: CountOrOff | None = Field(default=None, description="See `limits.traces.max_events`.")
    max_links: CountOrOff | None = Field(default=None, description="See `limits.traces.max_links`.")
    max_resource_attributes: CountOrOff | None = Field(
        default=None, description="See `limits.traces.max_resource_attributes`."
    )
    max_bytes_per_second: SizeOrOff | None = Field(
        default=None, description="See `limits.traces.max_bytes_per_second`."
    )


class SpanLimitSettings(SpanShapeLimits):
    """All limits of traces."""

    max_spans_in_flight: Count = Field(
        default=1_000_000, description="Spans taken in and not yet durable; more are answered 429 with a retry hint."
    )
    max_bytes_in_flight: Size = Field(
        default=ByteSize(512 * _MIB), description="Bytes of spans taken in and not yet durable."
    )

"""What one sender and one tenant may bring of logs."""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field

from swarmscope.app.settings.fields import Count, CountOrOff, Section, Size
from swarmscope.ingest.log_limits import Oversized

_KIB, _MIB = 1024, 1024 * 1024
SizeOrOff = Annotated[ByteSize, Field(ge=0)]


class StreamLimits(Section):
    """Limits on what lines and streams look like, how many streams there are and how fast lines come; 0: no limit."""

    max_streams: CountOrOff = Field(default=100_000, description="Streams that one tenant may have; 0: no limit.")
    max_label_names: CountOrOff = Field(default=64, description="Labels of one stream; 0: no limit.")
    max_label_name_bytes: CountOrOff = Field(default=1024, description="Length of a label name; 0: no limit.")
    max_label_value_bytes: CountOrOff = Field(default=4096, description="Length of a label value; 0: no limit.")
    max_line_bytes: SizeOrOff = Field(default=ByteSize(256 * _KIB), description="Length of a line; 0: no limit.")
    oversized_lines: Oversized = Field(default=Oversized.REFUSE, description="What becomes of a longer line.")
    max_metadata_entries: CountOrOff = Field(
        default=128, description="Entries of structured metadata of one line; 0: no limit."
    )
    max_metadata_bytes: SizeOrOff = Field(
        default=ByteSize(64 * _KIB), description="Names and values of one line's metadata together; 0: no limit."
    )
    max_bytes_per_second: SizeOrOff = Field(
        default=ByteSize(0), description="Lines and metadata of one tenant, held over ten seconds; 0: no limit."
    )


class TenantLogLimits(Section):
    """One tenant's own limits for logs; what is not given is as for everybody."""

    max_streams: CountOrOff | None = Field(default=None, description="See `limits.logs.max_streams`.")
    max_label_names: CountOrOff | None = Field(default=None, description="See `limits.logs.max_label_names`.")
    max_label_name_bytes: CountOrOff | None = Field(default=None, description="See `limits.logs.max_label_name_bytes`.")
    max_label_value_bytes: CountOrOff | None = Field(
        default=None, description="See `limits.logs.max_label_value_bytes`."
    )
    max_line_bytes: SizeOrOff | None = Field(default=None, description="See `limits.logs.max_line_bytes`.")
    oversized_lines: Oversized | None = Field(default=None, description="See `limits.logs.oversized_lines`.")
    max_metadata_entries: CountOrOff | None = Field(default=None, description="See `limits.logs.max_metadata_entries`.")
    max_metadata_bytes: SizeOrOff | None = Field(default=None, description="See `limits.logs.max_metadata_bytes`.")
    max_bytes_per_second: SizeOrOff | None = Field(default=None, description="See `limits.logs.max_bytes_per_second`.")


class LogLimitSettings(StreamLimits):
    """All limits of logs."""

    max_total_streams: CountOrOff = Field(default=500_000, description="Streams of all tenants together; 0: no limit.")
    max_lines_in_flight: Count = Field(
        default=2_000_000, description="Lines taken in and not yet durable; more are answered 429 with a retry hint."
    )
    max_bytes_in_flight: Size = Field(
        default=ByteSize(512 * _MIB), description="Bytes of lines and metadata taken in and not yet durable."
    )

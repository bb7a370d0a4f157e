"""What an operator may set about Zipkin's protocols."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmscope.receivers.wire.span_push import PushLimits


@dataclass(frozen=True, slots=True)
class ZipkinSettings:
    """Settings of the Zipkin receiver; `app` fills them in."""

    limits: PushLimits = field(default_factory=PushLimits)
    # JSON takes some 20 times its size while it is read.
    max_json_bytes: int = 16 << 20

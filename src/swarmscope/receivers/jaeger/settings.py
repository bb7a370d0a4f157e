"""What an operator may set about Jaeger's protocols."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmscope.receivers.wire.span_push import PushLimits


@dataclass(frozen=True, slots=True)
class JaegerSettings:
    """Settings of the Jaeger receiver; `app` fills them in."""

    limits: PushLimits = field(default_factory=PushLimits)
    # The agent's datagrams: where to listen, None: not at all (Jaeger's own ports are 6831 and 6832).
    udp_host: str = "127.0.0.1"
    udp_compact_port: int | None = None
    udp_binary_port: int | None = None
    # Datagrams that wait to be decoded; more are dropped and counted. One has 65,000 bytes at the most.
    max_waiting_datagrams: int = 1000

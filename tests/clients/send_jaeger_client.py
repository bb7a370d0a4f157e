"""Sends spans with jaeger-client over UDP: send_jaeger_client.py '{"port": PORT}'."""

from __future__ import annotations

import json
import sys
import time

from jaeger_client import Config
from opentracing import follows_from

T_S = 1_700_000_000.0
agent = {"reporting_host": "127.0.0.1", "reporting_port": json.loads(sys.argv[1])["port"]}
settings = {
    "sampler": {"type": "const", "param": 1}, "local_agent": agent, "tags": {"team": "red"},
    "generate_128bit_trace_id": True,
}  # fmt: skip
tracer = Config(config=settings, service_name="shop", validate=True).initialize_tracer()
span = tracer.start_span("order", start_time=T_S)
tags = {"n": 7, "ratio": 0.5, "late": True, "city": "Zürich 🚀", "error": True, "span.kind": "server"}
for name, value in tags.items():
    span.set_tag(name, value)
span.log_kv({"event": "failed", "code": 7}, T_S + 0.25)
tracer.start_span("stock", child_of=span, start_time=T_S + 0.5).finish(T_S + 0.75)
tracer.start_span("mail", references=follows_from(span.context), start_time=T_S + 2).finish(T_S + 3)
span.finish(T_S + 1)
time.sleep(1.5)  # it reports once a second, in a thread of its own
tracer.close()
time.sleep(0.5)

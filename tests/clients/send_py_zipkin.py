"""Sends two spans with py-zipkin: send_py_zipkin.py '{"encoding": "V1_JSON"|"V2_JSON"|"V2_PROTO3", "port": PORT}'."""

from __future__ import annotations

import json
import sys

from py_zipkin import Encoding, Kind
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.zipkin import ZipkinAttrs, zipkin_span

asked = json.loads(sys.argv[1])
with zipkin_span(
    service_name="shop",
    span_name="order",
    kind=Kind.SERVER,
    host="10.0.0.1",
    port=8080,
    transport_handler=SimpleHTTPTransport("127.0.0.1", asked["port"]),
    encoding=getattr(Encoding, asked["encoding"]),
    zipkin_attrs=ZipkinAttrs("0af7651916cd43dd", "b7ad6b7169203331", "b7ad6b7169203332", "0", True),
    binary_annotations={"http.method": "GET", "city": "Zürich 🚀"},
) as span:
    span.add_annotation("half way", 1_700_000_000.25)
    with zipkin_span(service_name="shop", span_name="stock", kind=Kind.CLIENT) as child:
        child.add_sa_binary_annotation(9000, "stock", "10.0.0.2")
        child.update_binary_annotations({"error": "none left"})

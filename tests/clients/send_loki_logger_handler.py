"""Sends lines with loki-logger-handler: send_loki_logger_handler.py '{"url": URL, "app": NAME, "compressed": BOOL}'."""

import json
import logging
import sys

from loki_logger_handler.loki_logger_handler import LokiLoggerHandler

asked = json.loads(sys.argv[1])
handler = LokiLoggerHandler(
    url=asked["url"], labels={"application": asked["app"], "env": "live"}, label_keys={"shop"}, timeout=60,
    compressed=asked["compressed"], enable_structured_loki_metadata=True, loki_metadata={"service_version": "1.0"},
    loki_metadata_keys=["order"], enable_self_errors=True,
)  # fmt: skip
logger = logging.getLogger("shop.orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)

logger.info("accepted", extra={"order": 17})
logger.warning('über "quoted"\nsecond line \\ 🚀', extra={"shop": "b", "loki_metadata": {"span": "s-1"}})
logger.error("no stock")
# What is buffered leaves when the process ends: the handler has registered that.

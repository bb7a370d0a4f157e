"""Sends lines with python-logging-loki: send_logging_loki.py '{"url": URL, "app": NAME}'."""

import json
import logging
import sys

import logging_loki

asked = json.loads(sys.argv[1])
handler = logging_loki.LokiHandler(url=asked["url"], tags={"application": asked["app"]}, version="1")
logger = logging.getLogger("shop.orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)

logger.debug("fine detail")
logger.warning("order %s %s", 17, 'über "quoted"\nsecond line \\ 🚀', extra={"tags": {"order.kind": "express"}})
try:
    raise ValueError("no stock")
except ValueError:
    logger.exception("failed")
handler.close()

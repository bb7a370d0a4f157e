"""Bodies in JSON."""

from __future__ import annotations

import json


def json_body(value: object) -> bytes:
    """A value as JSON; what is no Unicode in its texts, as templates may print, becomes question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

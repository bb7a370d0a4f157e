"""What takes the place of a find."""

from __future__ import annotations

import hashlib
from enum import Enum

HASH_KEY_BYTES = 32
_DIGEST_BYTES = 8
_MASK_HEAD = "[REDACTED:"


class Action(Enum):
    """What is done to a find."""

    MASK = "mask"  # `[REDACTED:detector]`
    HASH = "hash"  # `[REDACTED:detector:<16 hex digits>]`, the same for the same find under the same key
    DROP = "drop"  # the line, or the attribute, is thrown away


# Where finds overlap and their detectors' actions differ, the one that leaves least is taken.
STRICTEST_FIRST = (Action.DROP, Action.MASK, Action.HASH)


class Masks:
    """Makes the texts that stand for finds. Masks are plain ASCII without quotes: they are safe inside strings."""

    def __init__(self, hash_key: bytes) -> None:
        """`hash_key`: up to 64 bytes, as BLAKE2 (RFC 7693) takes them."""
        self._key = hash_key

    def mask(self, detector: str, action: Action, find: bytes) -> bytes:
        """What stands for `find`."""
        if action is not Action.HASH:
            return f"{_MASK_HEAD}{detector}]".encode()
        digest = hashlib.blake2b(find, digest_size=_DIGEST_BYTES, key=self._key, person=detector.encode()[:16])
        return f"{_MASK_HEAD}{detector}:{digest.hexdigest()}]".encode()


def mask_pattern(detectors: list[str]) -> bytes:
    """RE2 for the masks of these detectors: what they cover has been redacted before."""
    return rf"\[REDACTED:(?:{'|'.join(detectors)})(?::[0-9a-f]{{{2 * _DIGEST_BYTES}}})?\]".encode()

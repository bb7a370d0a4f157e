"""The redactor that the settings ask for, and the key that its hashes are made with."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from swarmscope.app.settings import Settings
from swarmscope.ingest.redaction.actions import HASH_KEY_BYTES, Action
from swarmscope.ingest.redaction.choosing import chosen_detectors
from swarmscope.ingest.redaction.redactor import Redactor

KEY_FILE = "redaction.key"


def open_redactor(settings: Settings) -> Redactor | None:
    """None where redaction is off. The data folder MUST be there. Raises BadPatternError and OSError."""
    chosen = settings.redaction
    if not chosen.enabled:
        return None
    detectors = chosen_detectors(chosen.detectors, chosen.without, chosen.patterns)
    actions = {
        one.name: chosen.actions.get(one.name, chosen.actions.get(one.group.value, chosen.action)) for one in detectors
    }
    key = hash_key(settings) if Action.HASH in actions.values() else b""
    return Redactor(detectors, actions, key)


def hash_key(settings: Settings) -> bytes:
    """The key from the settings, else the one in the data folder, which is made at the first call. Raises OSError."""
    given = settings.redaction.hash_key
    if given is not None:
        return hashlib.blake2b(given.get_secret_value().encode(), digest_size=HASH_KEY_BYTES).digest()
    path = Path(settings.data) / KEY_FILE
    if not path.exists():
        _keep_new_key(path)
    return path.read_bytes()


def _keep_new_key(path: Path) -> None:
    # Renamed when it is whole and on the disk: half a key would make other tokens after the next start.
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(HASH_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)

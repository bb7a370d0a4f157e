"""Resources and scopes of logs: which attributes name the stream, and what all of their lines share as metadata."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.receivers.otlp.log_values import decode_text_part, flatten_all
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans
from swarmscope.receivers.wire.log_streams import with_service_name

_STREAM_PURPOSE = 6
_MAX_REMEMBERED = 8192  # far more than a fleet has, so forgetting all at once is rare
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


def to_stream_label(key: str) -> str:
    """An attribute's name as a stream label: what a label cannot hold becomes an underscore."""
    name = _NOT_IN_LABELS.sub("_", key)
    return f"_{name}" if name[:1].isdigit() else name


class ResourceFacts(NamedTuple):
    """What a resource says of its lines."""

    stream_key: int  # hash of the labels
    labels: dict[str, str]
    metadata: dict[str, str]


class SharedTexts(NamedTuple):
    """Pairs that all lines of a scope have, as UTF-8."""

    names: tuple[bytes, ...]
    values: tuple[bytes, ...]


class ResourceBook:
    """Resources and scopes by the hash of their bytes, across requests; thread-safe, bounded."""

    def __init__(self, settings: OtlpSettings, seed: int) -> None:
        self._index_attributes = frozenset(settings.log_stream_attributes)
        self._discover = settings.discover_service_name
        self._secrets = derive_secrets(seed, _STREAM_PURPOSE)
        self._resources: dict[int, ResourceFacts] = {}
        self._shared: dict[tuple[int, int], SharedTexts] = {}

    def resource(self, body: NDArray[np.uint8], key: int, span: tuple[int, int]) -> ResourceFacts:
        """The resource at `span` (start, length), whose bytes have the hash `key`. Raises MalformedInputError."""
        known = self._resources.get(key)
        if known is None:
            if len(self._resources) >= _MAX_REMEMBERED:
                self._resources.clear()
            known = self._resources[key] = self._to_facts(decode_text_part("Resource", body, *span))
        return known

    def shared(
        self, body: NDArray[np.uint8], facts: ResourceFacts, keys: tuple[int, int], span: tuple[int, int]
    ) -> SharedTexts:
        """What lines of a scope at `span` share; `keys` are the hashes of resource and scope."""
        known = self._shared.get(keys)
        if known is None:
            if len(self._shared) >= _MAX_REMEMBERED:
                self._shared.clear()
            scope = decode_text_part("InstrumentationScope", body, *span)
            pairs = facts.metadata | _scope_metadata(scope)
            names, values = (tuple(text.encode() for text in texts) for texts in (pairs.keys(), pairs.values()))
            known = self._shared[keys] = SharedTexts(names, values)
        return known

    def _to_facts(self, resource: Any) -> ResourceFacts:
        attributes = flatten_all(resource.attributes)
        index = {to_stream_label(name): text for name, text in attributes.items() if name in self._index_attributes}
        labels = with_service_name(index, self._discover)
        metadata = {name: text for name, text in attributes.items() if name not in self._index_attributes}
        if resource.dropped_attributes_count:
            metadata["resource_dropped_attributes_count"] = str(resource.dropped_attributes_count)
        text = b"\xff".join(part.encode() for pair in sorted(labels.items()) for part in pair)
        buffer = np.frombuffer(text or b"\0", np.uint8)
        span = (np.zeros(1, np.int64), np.array([len(text)], np.int64))
        return ResourceFacts(int(hash_spans(buffer, *span, self._secrets)[0]), labels, metadata)


def _scope_metadata(scope: Any) -> dict[str, str]:
    """A scope's fields, under the names that Loki gives them."""
    found = flatten_all(scope.attributes)
    if scope.name:
        found["scope_name"] = scope.name
    if scope.version:
        found["scope_version"] = scope.version
    if scope.dropped_attributes_count:
        found["scope_dropped_attributes_count"] = str(scope.dropped_attributes_count)
    return found

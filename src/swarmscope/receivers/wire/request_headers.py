"""What every receiver over HTTP reads from a request's headers in the same way."""

from __future__ import annotations

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import DEFAULT_TENANT

TENANT_HEADER = "x-scope-orgid"  # Mimir's and Loki's
_MAX_TENANT_CHARACTERS = 150  # as Mimir has it


class UnsupportedMediaError(MalformedInputError):
    """A Content-Type that the protocol does not have; HTTP 415."""


def to_tenant(header: str | None) -> str:
    """The tenant that a header names. Raises MalformedInputError for a name that is too long."""
    if not header:
        return DEFAULT_TENANT
    if len(header) > _MAX_TENANT_CHARACTERS:
        raise MalformedInputError(f"X-Scope-OrgID is longer than {_MAX_TENANT_CHARACTERS} characters")
    return header

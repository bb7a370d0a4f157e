import pytest

from swarmscope.store.embedded.spans.commit import SpanCommitSettings
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings


@pytest.fixture
def open_spans(open_store):
    """Opens a store that keeps spans for ever; `more` are commit settings."""

    def open_(retention_s=None, judge=None, **more):
        settings = SpanStoreSettings(retention_s, commit=SpanCommitSettings(**more), judge=judge)
        return open_store(spans=settings)

    return open_


@pytest.fixture
def store(open_spans):
    return open_spans()
